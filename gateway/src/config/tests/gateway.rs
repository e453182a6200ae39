//! `[gateway]`: addresses, names, the key, hosts and origins, limits.

use expect_test::expect;

use super::{Given, check, check_warnings};

#[test]
fn addresses_that_are_none() {
    check(
        "[gateway]\nlisten = \":8808\"\nadmin = \"http://127.0.0.1:9/\"\n",
        expect![[r#"
        routing.toml:2:10: gateway.listen: expected an address such as "127.0.0.1:8808", found ":8808"
         2 | listen = ":8808"
           |          ^^^^^^^
           = write "127.0.0.1:8808" for this machine alone, "0.0.0.0:8808" for every network

        routing.toml:3:9: gateway.admin: expected an address such as "127.0.0.1:8809", or "off", found "http://127.0.0.1:9/"
         3 | admin = "http://127.0.0.1:9/"
           |         ^^^^^^^^^^^^^^^^^^^^^
           = write "127.0.0.1:9"

        2 problems"#]],
    );
    check(
        "[gateway]\nlisten = \"gateway.example.com:80\"\nadmin = \"::1\"\n",
        expect![[r#"
        routing.toml:2:10: gateway.listen: expected an address such as "127.0.0.1:8808", found "gateway.example.com:80"
         2 | listen = "gateway.example.com:80"
           |          ^^^^^^^^^^^^^^^^^^^^^^^^
           = names are not looked up, `localhost` excepted: write an IP address and a port

        routing.toml:3:9: gateway.admin: expected an address such as "127.0.0.1:8809", or "off", found "::1"
         3 | admin = "::1"
           |         ^^^^^
           = write "[::1]:8809"

        2 problems"#]],
    );
    check(
        "[gateway]\nlisten = \"127.0.0.1:99999\"\nadmin = 99999\n",
        expect![[r#"
            routing.toml:2:10: gateway.listen: expected an address such as "127.0.0.1:8808", found "127.0.0.1:99999"
             2 | listen = "127.0.0.1:99999"
               |          ^^^^^^^^^^^^^^^^^
               = a port is at most 65535

            routing.toml:3:9: gateway.admin: expected an address with a port, found 99999
             3 | admin = 99999
               |         ^^^^^

            2 problems"#]],
    );
}

#[test]
fn one_address_for_two_things() {
    check(
        "[gateway]\nlisten = \"localhost:8809\"\n",
        expect![[r#"
        routing.toml:2:10: gateway.listen: the same address as `gateway.admin`
         2 | listen = "localhost:8809"
           |          ^^^^^^^^^^^^^^^^
           = give the two different ports

        1 problem"#]],
    );
    check(
        "[gateway]\nadmin = \"127.0.0.1:8808\"\n",
        expect![[r#"
        routing.toml:2:9: gateway.admin: the same address as `gateway.listen`
         2 | admin = "127.0.0.1:8808"
           |         ^^^^^^^^^^^^^^^^
           = give the two different ports

        1 problem"#]],
    );
}

#[test]
fn a_name_bound_out_of_range() {
    check(
        "[gateway]\nname_max = 8\n",
        expect![[r#"
        routing.toml:2:12: gateway.name_max: expected a whole number from 16 to 256, found 8
         2 | name_max = 8
           |            ^

        1 problem"#]],
    );
    check(
        "[gateway]\nname_max = -1\n",
        expect![[r#"
        routing.toml:2:12: gateway.name_max: expected a whole number from 16 to 256, found -1
         2 | name_max = -1
           |            ^^

        1 problem"#]],
    );
}

#[test]
fn a_separator_that_is_none() {
    check(
        "[gateway]\nseparator = \"___\"\n",
        expect![[r#"
        routing.toml:2:13: gateway.separator: expected one of "_", "__", "-", ".", found "___"
         2 | separator = "___"
           |             ^^^^^
           = did you mean "__"?

        1 problem"#]],
    );
}

#[test]
fn a_key_that_can_be_guessed() {
    check(
        "[gateway]\nkey = \"hunter2\"\n",
        expect![[r#"
        routing.toml:2:7: gateway.key: expected at least 32 characters, found 7
         2 | key = "…"
           |       ^^^
           = make one, for example with `openssl rand -hex 32`

        1 problem"#]],
    );
}

#[test]
fn hosts_that_are_none() {
    let text = "\
[gateway]
hosts = [
  \"https://example.com/mcp\",
  \"*.example.com\",
  \"\",
]
";
    check(
        text,
        expect![[r#"
            routing.toml:3:3: gateway.hosts[0]: expected a host such as "example.com", found "https://example.com/mcp"
             3 |   "https://example.com/mcp",
               |   ^^^^^^^^^^^^^^^^^^^^^^^^^
               = write "example.com"

            routing.toml:4:3: gateway.hosts[1]: expected a host such as "example.com", found "*.example.com"
             4 |   "*.example.com",
               |   ^^^^^^^^^^^^^^^
               = names are no patterns: list them one by one, or write "*" for all

            routing.toml:5:3: gateway.hosts[2]: expected a host such as "example.com", found ""
             5 |   "",
               |   ^^

            3 problems"#]],
    );
}

#[test]
fn origins_that_are_none() {
    let text = "\
[gateway]
origins = [\"https://app.example.com/\", \"app.example.com\", \"https://*.example.com\"]
";
    check(
        text,
        expect![[r#"
            routing.toml:2:12: gateway.origins[0]: expected an origin such as "https://app.example.com", found "https://app.example.com/"
             2 | origins = ["https://app.example.com/", "app.example.com", "https://*.example.com"]
               |            ^^^^^^^^^^^^^^^^^^^^^^^^^^
               = write "https://app.example.com"

            routing.toml:2:40: gateway.origins[1]: expected an origin such as "https://app.example.com", found "app.example.com"
             2 | origins = ["https://app.example.com/", "app.example.com", "https://*.example.com"]
               |                                        ^^^^^^^^^^^^^^^^^

            routing.toml:2:59: gateway.origins[2]: expected an origin such as "https://app.example.com", found "https://*.example.com"
             2 | origins = ["https://app.example.com/", "app.example.com", "https://*.example.com"]
               |                                                           ^^^^^^^^^^^^^^^^^^^^^^^
               = names are no patterns: list them one by one, or write "*" for all

            3 problems"#]],
    );
}

#[test]
fn limits_out_of_range() {
    let text = "\
[gateway.limits]
body_bytes_max = 10
header_read_timeout = \"1ms\"
connections_max = 0
session_idle = \"60d\"
drain = \"99999999999999999999d\"
catalog_ttl = \"-5s\"
page_entries = 1.5
";
    check(
        text,
        expect![[r#"
        routing.toml:2:18: gateway.limits.body_bytes_max: expected from 1KiB to 1GiB, found 10
         2 | body_bytes_max = 10
           |                  ^^
           = write "1KiB"

        routing.toml:3:23: gateway.limits.header_read_timeout: expected from 100ms to 5m, found "1ms"
         3 | header_read_timeout = "1ms"
           |                       ^^^^^
           = write "100ms"

        routing.toml:4:19: gateway.limits.connections_max: expected a whole number from 1 to 1000000, found 0
         4 | connections_max = 0
           |                   ^

        routing.toml:5:16: gateway.limits.session_idle: expected from 1s to 30d, found "60d"
         5 | session_idle = "60d"
           |                ^^^^^
           = write "30d"

        routing.toml:6:9: gateway.limits.drain: expected from 0s to 10m, found "99999999999999999999d"
         6 | drain = "99999999999999999999d"
           |         ^^^^^^^^^^^^^^^^^^^^^^^
           = write "10m"

        routing.toml:7:15: gateway.limits.catalog_ttl: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "-5s"
         7 | catalog_ttl = "-5s"
           |               ^^^^^

        routing.toml:8:16: gateway.limits.page_entries: expected a whole number from 1 to 100000, found the number 1.5
         8 | page_entries = 1.5
           |                ^^^

        7 problems"#]],
    );
}

#[test]
fn durations_in_other_notations_are_translated() {
    let text = "\
[gateway.limits]
header_read_timeout = \"10\"
session_idle = \"1h30m\"
session_age_max = \"2 weeks\"
drain = \"1.5s\"
settle = \"soon\"
catalog_ttl = \"60 sec\"
body_bytes_max = \"16 MB\"
";
    check(
        text,
        expect![[r#"
        routing.toml:2:23: gateway.limits.header_read_timeout: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "10"
         2 | header_read_timeout = "10"
           |                       ^^^^
           = write "10s"

        routing.toml:3:16: gateway.limits.session_idle: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "1h30m"
         3 | session_idle = "1h30m"
           |                ^^^^^^^
           = write "90m"

        routing.toml:4:19: gateway.limits.session_age_max: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "2 weeks"
         4 | session_age_max = "2 weeks"
           |                   ^^^^^^^^^
           = write "14d"

        routing.toml:5:9: gateway.limits.drain: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "1.5s"
         5 | drain = "1.5s"
           |         ^^^^^^
           = write "1500ms"

        routing.toml:6:10: gateway.limits.settle: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "soon"
         6 | settle = "soon"
           |          ^^^^^^

        routing.toml:7:15: gateway.limits.catalog_ttl: expected a duration such as "500ms", "60s", "10m", "1h", "30d", found "60 sec"
         7 | catalog_ttl = "60 sec"
           |               ^^^^^^^^
           = write "60s"

        routing.toml:8:18: gateway.limits.body_bytes_max: expected a size in bytes such as 1048576 or "1MiB", found "16 MB"
         8 | body_bytes_max = "16 MB"
           |                  ^^^^^^^
           = write "16MiB"

        7 problems"#]],
    );
}

#[test]
fn what_other_machines_can_reach_is_said() {
    let text = "[gateway]\nlisten = \"0.0.0.0:8808\"\nadmin = \"0.0.0.0:8809\"\n\
        [mounts.notes]\nin_process = \"notes\"\n";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
        routing.toml:2:10: gateway.listen: other machines can connect, but no `hosts` are allowed
         2 | listen = "0.0.0.0:8808"
           |          ^^^^^^^^^^^^^^
           = list the names by which clients reach it: hosts = ["gateway.example.com"]

        routing.toml:3:9: gateway.admin: other machines can reach the administration, which asks nobody who they are
         3 | admin = "0.0.0.0:8809"
           |         ^^^^^^^^^^^^^^
           = listen on 127.0.0.1, or write "off""#]],
    );
    let text = "[gateway]\nhosts = [\"*\"]\norigins = [\"*\", \"null\"]\n\
        [mounts.notes]\nin_process = \"notes\"\n";
    check_warnings(
        &Given { text, ..Given::default() },
        expect![[r#"
            routing.toml:2:10: gateway.hosts[0]: any web page can reach the gateway under a name of its own
             2 | hosts = ["*"]
               |          ^^^
               = list the names, unless a proxy before it checks them

            routing.toml:3:12: gateway.origins[0]: any web page can call the gateway
             3 | origins = ["*", "null"]
               |            ^^^
               = list the origins one by one

            routing.toml:3:17: gateway.origins[1]: any web page can call the gateway
             3 | origins = ["*", "null"]
               |                 ^^^^^^
               = list the origins one by one"#]],
    );
}
