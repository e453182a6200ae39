CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  in_stock INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  ordered_on TEXT NOT NULL
);
CREATE VIEW revenue AS
  SELECT products.category, SUM(orders.quantity * products.price_cents) AS cents
  FROM orders JOIN products ON products.id = orders.product_id
  GROUP BY products.category;
INSERT INTO products (id, name, category, price_cents, in_stock) VALUES
  (1, 'Desk lamp', 'office', 3490, 12),
  (2, 'Notebook', 'paper', 450, 240),
  (3, 'Fountain pen', 'paper', 2900, 31),
  (4, 'Chair', 'office', 18900, 4),
  (5, 'Kettle', 'kitchen', 4200, 0),
  (6, 'Mug', 'kitchen', 890, 75);
INSERT INTO orders (id, product_id, quantity, ordered_on) VALUES
  (1, 2, 10, '2026-10-01'),
  (2, 1, 1, '2026-10-02'),
  (3, 4, 2, '2026-10-02'),
  (4, 6, 6, '2026-10-05'),
  (5, 2, 25, '2026-10-09'),
  (6, 3, 1, '2026-10-12'),
  (7, 6, 2, '2026-10-15'),
  (8, 5, 1, '2026-10-21');
