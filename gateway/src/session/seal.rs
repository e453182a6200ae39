//! Sealing what clients carry for us: authenticated encryption under the gateway's key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 8;

/// A key that seals and opens.
pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
    fingerprint: Option<String>,
}

impl Seal {
    /// A seal under the operator's secret (sessions survive a restart), or under a new random key.
    ///
    /// # Errors
    /// A text when the system has no randomness to give.
    pub fn new(secret: Option<&str>) -> Result<Self, String> {
        let random = SystemRandom::new();
        let mut bytes = [0u8; 32];
        match secret {
            Some(secret) => {
                let sum = digest(&SHA256, format!("gateway seal 1\n{secret}").as_bytes());
                bytes.copy_from_slice(sum.as_ref());
            }
            None => random.fill(&mut bytes).map_err(|_| "the system has no randomness")?,
        }
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| "the key is not usable")?;
        let fingerprint = secret.map(|secret| {
            let sum = digest(&SHA256, format!("gateway fingerprint 1\n{secret}").as_bytes());
            sum.as_ref().iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
        });
        Ok(Self { key: LessSafeKey::new(key), random, fingerprint })
    }

    /// What tells the operator's secret from others and does not give it away; `None` where there
    /// is none, so that nothing that is sealed outlives this value.
    pub(super) fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Seals `text` for `purpose`, as visible ASCII; `None` only without randomness.
    pub(super) fn close(&self, purpose: &str, text: &str) -> Option<String> {
        let mut nonce = [0u8; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut bytes = text.as_bytes().to_vec();
        let one = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(one, Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
        let mut whole = nonce.to_vec();
        whole.append(&mut bytes);
        Some(URL_SAFE_NO_PAD.encode(whole))
    }

    /// Opens what [`Self::close`] sealed for the same purpose; `None` for anything else.
    /// A text of more than `bytes_max` is not looked at.
    pub(super) fn open(&self, purpose: &str, sealed: &str, bytes_max: usize) -> Option<String> {
        if sealed.len() > bytes_max {
            return None;
        }
        let whole = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, bytes) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let text = self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c087_what_is_sealed_opens_under_the_same_key_and_purpose_only() {
        let secret = "a secret of at least thirty-two letters";
        let seal = Seal::new(Some(secret)).unwrap();
        let sealed = seal.close("session", "text").unwrap();
        assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
        let again = Seal::new(Some(secret)).unwrap();
        assert_eq!(again.open("session", &sealed, 1000).as_deref(), Some("text"));
        assert_eq!(again.open("state", &sealed, 1000), None);
        assert_eq!(Seal::new(None).unwrap().open("session", &sealed, 1000), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            let with = if forged.as_bytes()[at] == b'A' { "B" } else { "A" };
            forged.replace_range(at..=at, with);
            if URL_SAFE_NO_PAD.decode(&forged) != URL_SAFE_NO_PAD.decode(&sealed) {
                assert_eq!(again.open("session", &forged, 1000), None, "letter {at}");
            }
        }
        assert_eq!(again.open("session", "", 1000), None);
        assert_eq!(again.open("session", &sealed, sealed.len() - 1), None);
    }
}
