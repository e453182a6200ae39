//! The keys that tokens are verified with: a secret, a public key in a PEM file, a JWKS file.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};

/// Bytes of a file of keys.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Keys of a set.
const KEYS_MAX: usize = 100;
/// Bytes of a secret: less can be guessed (RFC 7518, 3.2).
pub(super) const SECRET_BYTES_MIN: usize = 32;
/// Bytes of the modulus of an RSA key, 2048 bits (RFC 7518, 3.3).
const RSA_BYTES_MIN: usize = 256;

const HMAC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
const RSA: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A key and what it may be used for: the token does not choose.
#[derive(Clone)]
pub(super) struct Key {
    /// Its name in a set.
    pub(super) id: Option<String>,
    pub(super) key: DecodingKey,
    pub(super) algorithms: Vec<Algorithm>,
}

/// All keys: those that are given, and those of files, which are read again when they change.
pub(super) struct Keys {
    secret: Option<Key>,
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    read: fn(&[u8]) -> Result<Vec<Key>, String>,
    state: Mutex<State>,
}

/// What was read of a file, and of which state of the file.
#[derive(Default)]
struct State {
    keys: Arc<[Key]>,
    stamp: Option<(SystemTime, u64)>,
}

impl Keys {
    /// Keys that are read from files at once.
    ///
    /// # Errors
    /// The name of the option that is wrong, and what was expected.
    pub(super) fn new(
        secret: Option<&str>,
        public_key: Option<PathBuf>,
        jwks: Option<PathBuf>,
    ) -> Result<Self, (&'static str, String)> {
        let secret = secret.map(of_secret).transpose().map_err(|text| ("secret", text))?;
        let mut files = Vec::new();
        for (option, path, read) in [
            ("public_key", public_key, of_pem as fn(&[u8]) -> _),
            ("jwks", jwks, of_set as fn(&[u8]) -> _),
        ] {
            if let Some(path) = path {
                let file = File { path, read, state: Mutex::default() };
                file.refresh().map_err(|text| (option, text))?;
                files.push(file);
            }
        }
        Ok(Self { secret, files })
    }

    /// Every key there is now.
    pub(super) fn all(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.secret.iter().cloned().collect();
        for file in &self.files {
            if let Err(text) = file.refresh() {
                tracing::warn!(path = %file.path.display(), text, "the keys stay as they were");
            }
            keys.extend(file.state().keys.iter().cloned());
        }
        keys
    }
}

impl File {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file when it is not the one that was read last.
    fn refresh(&self) -> Result<(), String> {
        let path = self.path.display();
        let told = |error: std::io::Error| format!("a file that can be read: {path}: {error}");
        let about = fs::metadata(&self.path).map_err(told)?;
        let stamp = Some((about.modified().map_err(told)?, about.len()));
        let mut state = self.state();
        if state.stamp == stamp {
            return Ok(());
        }
        let bytes = bytes_of(&self.path)?;
        state.keys = (self.read)(&bytes)?.into();
        state.stamp = stamp;
        Ok(())
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let told =
        |error: std::io::Error| format!("a file that can be read: {}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(told)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("a file of at most {FILE_BYTES_MAX} bytes: {}", path.display()));
    }
    Ok(bytes)
}

fn of_secret(secret: &str) -> Result<Key, String> {
    if secret.len() < SECRET_BYTES_MIN {
        return Err(format!("a secret of at least {SECRET_BYTES_MIN} bytes"));
    }
    let key = DecodingKey::from_secret(secret.as_bytes()).map_err(|error| error.to_string())?;
    Ok(Key { id: None, key, algorithms: HMAC.to_vec() })
}

/// A public key; the kinds are told apart by what stands in the file.
fn of_pem(bytes: &[u8]) -> Result<Vec<Key>, String> {
    if String::from_utf8_lossy(bytes).contains("PRIVATE KEY") {
        return Err("a public key, not a private one".to_owned());
    }
    let key = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem]
        .into_iter()
        .find_map(|read| read(bytes).ok());
    let expected =
        "a public key in PEM: RSA of 2048 bits or more, EC on P-256 or P-384, or Ed25519";
    let key = key.and_then(|key| Key::of(None, key, None)).ok_or_else(|| expected.to_owned())?;
    Ok(vec![key])
}

fn of_set(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let expected = |fault: &dyn std::fmt::Display| {
        format!("a JSON Web Key Set of up to {KEYS_MAX} keys: {fault}")
    };
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|fault| expected(&fault))?;
    if set.keys.len() > KEYS_MAX {
        return Err(expected(&set.keys.len()));
    }
    // As RFC 7517 asks (5): keys of kinds that are not known are left out.
    let keys: Vec<Key> = set.keys.iter().filter_map(of_jwk).collect();
    if keys.is_empty() {
        return Err(expected(&"none of its keys verifies signatures that are known here"));
    }
    Ok(keys)
}

fn of_jwk(jwk: &Jwk) -> Option<Key> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    if let AlgorithmParameters::OctetKeyPair(pair) = &jwk.algorithm
        && pair.curve != EllipticCurve::Ed25519
    {
        return None;
    }
    let only = match jwk.common.key_algorithm {
        None => None,
        Some(named) => Some(named.to_string().parse::<Algorithm>().ok()?),
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Key::of(jwk.common.key_id.clone(), key, only)
}

impl Key {
    /// A key with the algorithms of its kind, or the one of these that it is meant for.
    fn of(id: Option<String>, key: DecodingKey, only: Option<Algorithm>) -> Option<Self> {
        let algorithms = match (key.family(), key.kind()) {
            (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
                if secret.len() < SECRET_BYTES_MIN { Vec::new() } else { HMAC.to_vec() }
            }
            (AlgorithmFamily::Rsa, kind) => {
                let bytes = match kind {
                    DecodingKeyKind::RsaModulusExponent { n, .. } => n,
                    DecodingKeyKind::SecretOrDer(der) => der,
                };
                if bytes.len() < RSA_BYTES_MIN { Vec::new() } else { RSA.to_vec() }
            }
            // An uncompressed point is one byte and two coordinates.
            (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => match point.len() {
                65 => vec![Algorithm::ES256],
                97 => vec![Algorithm::ES384],
                _ => Vec::new(),
            },
            (AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) if point.len() == 32 => {
                vec![Algorithm::EdDSA]
            }
            _ => Vec::new(),
        };
        let algorithms: Vec<_> =
            algorithms.into_iter().filter(|one| only.is_none_or(|only| only == *one)).collect();
        (!algorithms.is_empty()).then_some(Self { id, key, algorithms })
    }
}
