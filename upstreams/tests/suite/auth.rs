//! The tools of `auth`: who calls, good tokens, and each way in which one is bad.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use expect_test::expect;
use protocol::{ChildRequest, Grant, Raw};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use crate::caller::{Caller, Ear, error, with_meta, wrapped};

const SECRET: &str = "a secret of development, 32 bytes or more";
const RSA: &str = include_str!("../keys/rsa.pub.pem");
const RS256: &str = include_str!("../keys/rs256.jwt");
/// 2100, and 2001.
const LATER: u64 = 4_102_444_800;
const LONG_AGO: u64 = 1_000_000_000;

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with any head, claims and signature.
fn signed(head: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encoded(head), encoded(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn by_secret(secret: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn hs256() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": ["gateway", "others"], "sub": "ada", "exp": LATER,
        "scope": "data:read data:write",
    })
}

/// Claims with one changed, or left out by null.
fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

fn options(more: Value) -> Value {
    let mut options = json!({ "issuer": "https://issuer.example", "audience": ["gateway"] });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    options
}

fn by_options(more: Value) -> Caller {
    Caller::with("auth", options(more), Path::new("."))
}

#[tokio::test]
async fn a_good_token_is_told_with_what_it_says() {
    let auth = by_options(json!({ "secret": SECRET }));
    let token = signed(&hs256(), &claims(), by_secret(SECRET));
    let mut good =
        auth.works("verify_token", json!({ "token": token, "scopes": ["data:read"] })).await;
    assert!(good["expires_in"].as_i64().unwrap() > 1_000_000_000);
    good["expires_in"] = json!(0);
    let expected = json!({
        "is_valid": true, "subject": "ada", "scopes": ["data:read", "data:write"], "expires_in": 0,
        "algorithm": "HS256", "claims": claims(),
    });
    assert_eq!(good, expected);
}

/// What is said of each token, none of which may be told itself.
async fn said(tokens: Vec<(&str, String)>) -> String {
    let auth = by_options(json!({ "secret": SECRET }));
    let mut told = String::new();
    for (what, token) in tokens {
        let said = auth.fails("verify_token", json!({ "token": token })).await;
        assert!(!said.contains("eve") && !said.contains("data:read"), "{what}: {said}");
        told += &format!("{what}\n    {said}\n");
    }
    wrapped(&told)
}

#[tokio::test]
async fn a_token_of_a_bad_form_or_algorithm_is_refused() {
    let with = |head: Value| signed(&head, &claims(), by_secret(SECRET));
    let told = said(vec![
        ("alg none", signed(&json!({ "alg": "none" }), &claims(), |_| Vec::new())),
        ("alg NoNe", with(json!({ "alg": "NoNe" }))),
        ("no alg", with(json!({}))),
        ("another alg", with(json!({ "alg": "RS256" }))),
        ("no such alg", with(json!({ "alg": "HS1" }))),
        ("crit", with(json!({ "alg": "HS256", "crit": ["x"], "x": 1 }))),
        ("garbage", "garbage".to_owned()),
        ("garbage in three parts", "a.b.c".to_owned()),
        ("encrypted", "a.b.c.d.e".to_owned()),
        ("oversized", "x".repeat(20_000)),
        ("empty", String::new()),
    ])
    .await;
    expect![[r#"
        alg none
            TOKEN_UNSECURED: expected a signed token, came one that says `alg: none`: \
        anybody could have made it
        alg NoNe
            TOKEN_UNSECURED: expected a signed token, came one that says `alg: none`: \
        anybody could have made it
        no alg
            TOKEN_MALFORMED: this is no token: expected an algorithm in the first part, \
        came none
        another alg
            TOKEN_WRONG_ALGORITHM: expected one of the algorithms HS256, HS384, HS512, \
        came RS256
        no such alg
            TOKEN_WRONG_ALGORITHM: expected an algorithm that is known here, came `HS1`
        crit
            TOKEN_MALFORMED: this is no token: the token demands an extension (`crit`) \
        that is not known here
        garbage
            TOKEN_MALFORMED: this is no token: expected three parts with dots between \
        them, came 1
        garbage in three parts
            TOKEN_MALFORMED: this is no token: expected an object in the first part, \
        came none
        encrypted
            TOKEN_MALFORMED: this is no token: expected a signed token, came an \
        encrypted one
        oversized
            LIMITED: expected a token of at most 16384 bytes, came 20000
        empty
            VALIDATION_ERROR: token: expected a text of at least 1 characters, came ``
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_token_that_nobody_here_signed_is_refused() {
    let good = signed(&hs256(), &claims(), by_secret(SECRET));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let head = message.split('.').next().unwrap();
    let swapped = format!("{head}.{}.{signature}", encoded(&but("sub", json!("eve"))));
    let other = by_secret("another secret, which is as long as it");
    for token in [signed(&hs256(), &claims(), other), format!("{message}."), swapped] {
        let said = said(vec![("token", token)]).await;
        let expected = "token\n    TOKEN_BAD_SIGNATURE: the signature is not of any key";
        assert!(said.starts_with(expected), "{said}");
    }
}

#[tokio::test]
async fn a_token_that_says_the_wrong_things_is_refused() {
    let of = |claims: &Value| signed(&hs256(), claims, by_secret(SECRET));
    let told = said(vec![
        ("expired", of(&but("exp", json!(LONG_AGO)))),
        ("expiry of text", of(&but("exp", json!("4102444800")))),
        ("no expiry", of(&but("exp", json!(null)))),
        ("not yet valid", of(&but("nbf", json!(LATER - 1)))),
        ("wrong audience", of(&but("aud", json!("others")))),
        ("no audience", of(&but("aud", json!(null)))),
        ("wrong issuer", of(&but("iss", json!("https://evil.example")))),
        ("several issuers", of(&but("iss", json!(["https://issuer.example"])))),
        ("no issuer", of(&but("iss", json!(null)))),
        ("claims no object", of(&json!([1]))),
    ])
    .await;
    expect![[r#"
        expired
            TOKEN_EXPIRED: the token has expired: get a new one
        expiry of text
            TOKEN_INCOMPLETE: expected the claim `exp` in its proper form, came none
        no expiry
            TOKEN_INCOMPLETE: expected the claim `exp` in its proper form, came none
        not yet valid
            TOKEN_NOT_YET_VALID: the token is not valid yet (`nbf`)
        wrong audience
            TOKEN_WRONG_AUDIENCE: expected a token for `gateway`, came one for others
        no audience
            TOKEN_INCOMPLETE: expected the claim `aud` in its proper form, came none
        wrong issuer
            TOKEN_WRONG_ISSUER: expected a token of `https://issuer.example`, came \
        another's
        several issuers
            TOKEN_MALFORMED: this is no token: `iss`: expected a text, came something \
        else
        no issuer
            TOKEN_INCOMPLETE: expected the claim `iss` in its proper form, came none
        claims no object
            TOKEN_MALFORMED: this is no token: its parts are not what parts of a token \
        are
    "#]]
    .assert_eq(&told);
    let auth = by_options(json!({ "secret": SECRET }));
    let lacking = json!({ "token": of(&claims()), "scopes": ["data:read", "admin"] });
    let said = auth.fails("verify_token", lacking).await;
    assert_eq!(said, "FORBIDDEN: the token is good, but does not carry the scope `admin`");
}

#[tokio::test]
async fn public_keys_of_every_kind_verify_and_never_serve_as_secrets() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rsa.pem"), RSA).unwrap();
    let auth = Caller::with("auth", options(json!({ "public_key": "rsa.pem" })), folder.path());
    let good = auth.works("verify_token", json!({ "token": RS256.trim() })).await;
    assert_eq!((&good["subject"], &good["algorithm"]), (&json!("ada"), &json!("RS256")));
    let confused = signed(&hs256(), &claims(), by_secret(RSA));
    let said = auth.fails("verify_token", json!({ "token": confused })).await;
    assert!(
        said.starts_with("TOKEN_WRONG_ALGORITHM: expected one of the algorithms PS256"),
        "{said}"
    );

    let random = SystemRandom::new();
    let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let ed = Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap();
    let with = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let ec = EcdsaKeyPair::generate_pkcs8(with, &random).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(with, ec.as_ref(), &random).unwrap();
    let point = ec.public_key().as_ref();
    let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "ec",
          "x": base64(&point[1..33]), "y": base64(&point[33..]) },
        { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": base64(ed.public_key().as_ref()) },
        { "kty": "oct", "kid": "short", "k": base64(b"short") },
        { "kty": "LAMP", "kid": "unknown" },
    ] });
    std::fs::write(folder.path().join("keys.json"), set.to_string()).unwrap();
    let auth = Caller::with("auth", options(json!({ "jwks": "keys.json" })), folder.path());
    let by_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let by_ec = |message: &[u8]| ec.sign(&random, message).unwrap().as_ref().to_vec();
    let tokens = [
        signed(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims(), by_ed),
        signed(&json!({ "alg": "ES256", "kid": "ec" }), &claims(), by_ec),
        signed(&json!({ "alg": "ES256" }), &claims(), by_ec),
    ];
    for token in tokens {
        auth.works("verify_token", json!({ "token": token })).await;
    }
    let mut told = String::new();
    for token in [
        signed(&json!({ "alg": "ES256", "kid": "gone" }), &claims(), by_ec),
        signed(&json!({ "alg": "ES256", "kid": "ed" }), &claims(), by_ec),
        signed(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims(), by_ec),
        signed(&json!({ "alg": "HS256", "kid": "short" }), &claims(), by_secret("short")),
    ] {
        told += &format!("{}\n", auth.fails("verify_token", json!({ "token": token })).await);
    }
    expect![[r#"
        TOKEN_UNKNOWN_KEY: expected a token of a known key, came one of the key `gone`
        TOKEN_UNKNOWN_KEY: expected a token of a known key, came one of the key `ed`
        TOKEN_BAD_SIGNATURE: the signature is not of any key that is known here: the \
        token was made or changed by somebody else
        TOKEN_WRONG_ALGORITHM: expected one of the algorithms ES256, EdDSA, came HS256
    "#]]
    .assert_eq(&wrapped(&told));
}

#[tokio::test]
async fn keys_of_a_file_that_changes_are_those_of_the_file_now() {
    let folder = tempfile::tempdir().unwrap();
    let set = |secret: &str| {
        let key = URL_SAFE_NO_PAD.encode(secret);
        json!({ "keys": [{ "kty": "oct", "kid": "k", "alg": "HS256", "k": key }] }).to_string()
    };
    let path = folder.path().join("keys.json");
    std::fs::write(&path, set(SECRET)).unwrap();
    let auth = Caller::with("auth", options(json!({ "jwks": "keys.json" })), folder.path());
    let old = signed(&hs256(), &claims(), by_secret(SECRET));
    auth.works("verify_token", json!({ "token": old })).await;
    let other = format!("{SECRET}, and another");
    std::fs::write(&path, set(&other)).unwrap();
    let said = auth.fails("verify_token", json!({ "token": old })).await;
    assert!(said.starts_with("TOKEN_BAD_SIGNATURE"), "{said}");
    let new = signed(&hs256(), &claims(), by_secret(&other));
    auth.works("verify_token", json!({ "token": new })).await;
    // A file that is none any more changes nothing.
    std::fs::write(&path, "{").unwrap();
    auth.works("verify_token", json!({ "token": new })).await;
}

#[tokio::test]
async fn options_that_do_not_fit_together_are_told_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("private.pem"), "-----BEGIN PRIVATE KEY-----").unwrap();
    let builtins = upstreams::builtins();
    let (_, make) = builtins.into_iter().find(|(name, _)| *name == "auth").unwrap();
    let mut told = String::new();
    for values in [
        json!({ "secret": SECRET }),
        json!({ "issue_tokens": true }),
        options(json!({ "secret": "short" })),
        options(json!({ "public_key": "private.pem" })),
        options(json!({ "jwks": "missing.json" })),
    ] {
        let options =
            protocol::Options { values: Raw::of(&values), folder: folder.path().to_owned() };
        let wrong = make.make(&options).err().unwrap();
        let wrong: Vec<_> =
            wrong.iter().map(|one| format!("{}: {}", one.place(), one.expected)).collect();
        let wrong = wrong.join("; ").replace(&folder.path().display().to_string(), "FOLDER");
        told += &format!("{wrong}\n");
    }
    expect![[r#"
        issuer: the issuer of the tokens, as there are keys; audience: at least one \
        audience, as there are keys
        issue_tokens: a `secret` to sign with, or false
        secret: a secret of at least 32 bytes
        public_key: a public key, not a private one
        jwks: a file that can be read: FOLDER/missing.json: No such file or directory \
        (os error 2)
    "#]]
    .assert_eq(&wrapped(&told));
}

#[tokio::test]
async fn tokens_are_made_for_development_only() {
    let auth = by_options(json!({ "secret": SECRET }));
    let call = json!({ "name": "issue_token", "arguments": { "subject": "ada" } });
    expect![[r#"
        -32602 there is no tool `issue_token`: expected one of verify_token, whoami
        {"gateway":{"code":"NOT_FOUND"}}
    "#]]
    .assert_eq(&error(auth.ask("tools/call", call).await));
    let said = Caller::builtin("auth").fails("verify_token", json!({ "token": RS256 })).await;
    assert!(said.starts_with("NOT_CONFIGURED: no keys are configured"), "{said}");

    let scopes = json!({ "data:read": "Reads data." });
    let auth = by_options(json!({ "secret": SECRET, "issue_tokens": true, "scopes": scopes }));
    let arguments = json!({ "subject": "ada", "scopes": ["data:read"], "ttl_seconds": 60 });
    let issued = auth.works("issue_token", arguments).await;
    let good = auth.works("verify_token", json!({ "token": issued["token"] })).await;
    assert_eq!((&good["subject"], &good["scopes"]), (&json!("ada"), &json!(["data:read"])));
    assert!((1..=60).contains(&good["expires_in"].as_i64().unwrap()));
    let mut told = String::new();
    for arguments in [
        json!({ "subject": "", "ttl_seconds": 86_400 }),
        json!({ "subject": "ada", "scopes": ["admin"] }),
        json!({ "subject": "ada", "scopes": ["data:read data:write"] }),
    ] {
        told += &format!("{}\n", auth.fails("issue_token", arguments).await);
    }
    expect![[r#"
        VALIDATION_ERROR: 2 things are wrong:
        - subject: expected a text of 1 to 200 characters, came ``
        - ttl_seconds: expected a whole number from 1 to 3600 or nothing, came 86400
        VALIDATION_ERROR: scopes: expected one of data:read, came admin
        VALIDATION_ERROR: scopes[0]: expected a text of 1 to 200 characters like \
        ^[!#-\[\]-~]+$, came `data:read data:write`
    "#]]
    .assert_eq(&wrapped(&told));
}

#[tokio::test]
async fn who_calls_is_told_and_cannot_be_made_up() {
    let auth = by_options(json!({ "scopes": { "data:read": "Reads data." } }));
    let asked = |method: &str, params: Value| {
        let grant =
            Grant { claims: Raw::of(&json!({ "sub": "ada" })), scopes: vec!["data:read".into()] };
        let (ear, _heard) = Ear::open(16);
        let request = ChildRequest::new(method, with_meta(params), ear);
        let request = request.of("ada".into(), Arc::new(grant));
        auth.0.request(request)
    };
    let who = asked("tools/call", json!({ "name": "whoami", "arguments": {} })).await.unwrap();
    let who: Value = serde_json::from_str(&who).unwrap();
    let expected = json!({
        "principal": "ada", "is_anonymous": false,
        "scopes": ["data:read"], "claims": { "sub": "ada" },
    });
    assert_eq!(who["structuredContent"], expected);
    let scopes = asked("resources/read", json!({ "uri": "auth://scopes" })).await.unwrap();
    let scopes: Value = serde_json::from_str(&scopes).unwrap();
    let text = scopes["contents"][0]["text"].as_str().unwrap();
    assert_eq!(text, r#"{"granted":["data:read"],"known":{"data:read":"Reads data."}}"#);

    let anonymous = auth.works("whoami", json!({})).await;
    assert_eq!((&anonymous["is_anonymous"], &anonymous["scopes"]), (&json!(true), &json!([])));
    let claimed = auth.works("whoami", json!({ "principal": "root", "scopes": ["all"] })).await;
    assert_eq!(claimed, anonymous);
    let missing = auth.ask("resources/read", json!({ "uri": "auth://other" })).await;
    expect![[r#"
        -32602 there is no such resource: expected auth://scopes
        {"gateway":{"code":"NOT_FOUND"},"uri":"auth://other"}
    "#]]
    .assert_eq(&error(missing));
}
