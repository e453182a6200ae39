//! The program that plays a scripted child over its pipes; its argument is the director's address.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let director = std::env::args().nth(1).ok_or("expected the address of a director")?;
    harness::scripted::run_stdio(&director).await
}
