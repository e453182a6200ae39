//! The mathematics of tokens by ring, for the library that knows their form.
//!
//! The library's own providers would bring a second set of primitives, one with an advisory.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error as Refused, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // Only for making key sets, which nothing here does.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes this the provider of the process, unless it has one.
pub(super) fn install() {
    // Whichever is there serves: all of them do the same mathematics.
    RING.install_default().ok();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    let with = hmac_of(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Signing { algorithm: *algorithm, key: hmac::Key::new(with, key.as_bytes()) }))
}

/// Signs with a secret; nothing here signs with a private key.
struct Signing {
    algorithm: Algorithm,
    key: hmac::Key,
}

impl Signer<Vec<u8>> for Signing {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Refused> {
        Ok(hmac::sign(&self.key, message).as_ref().to_vec())
    }
}

impl JwtSigner for Signing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // A public key shall never serve as the secret of an HMAC, nor the other way round.
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Verifying { algorithm: *algorithm, key: key.clone() }))
}

struct Verifying {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Verifying {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Refused> {
        let refused = |_| Refused::new();
        if let Some(with) = hmac_of(self.algorithm) {
            let secret = self.key.try_get_as_bytes().map_err(|_| Refused::new())?;
            return hmac::verify(&hmac::Key::new(with, secret), message, signature)
                .map_err(refused);
        }
        match (self.key.kind(), rsa_of(self.algorithm)) {
            (DecodingKeyKind::RsaModulusExponent { n, e }, Some(with)) => {
                RsaPublicKeyComponents { n, e }.verify(with, message, signature).map_err(refused)
            }
            (DecodingKeyKind::SecretOrDer(bytes), rsa) => {
                let curve = curve_of(self.algorithm);
                let with = rsa.map(|rsa| rsa as &dyn VerificationAlgorithm).or(curve);
                let key = UnparsedPublicKey::new(with.ok_or_else(Refused::new)?, bytes);
                key.verify(message, signature).map_err(refused)
            }
            (DecodingKeyKind::RsaModulusExponent { .. }, None) => Err(Refused::new()),
        }
    }
}

impl JwtVerifier for Verifying {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn hmac_of(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::HMAC_SHA256),
        Algorithm::HS384 => Some(hmac::HMAC_SHA384),
        Algorithm::HS512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn rsa_of(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn curve_of(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Some(&signature::ED25519),
        _ => None,
    }
}
