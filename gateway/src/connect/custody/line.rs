//! What gateway and warden say to each other, byte by byte, on the line between them.

/// What the gateway asks for: one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// The child's input is closed: what it leaves behind may end by itself.
    Close,
    /// SIGTERM to all.
    Terminate,
    /// SIGKILL to all, until nothing is left.
    Kill,
}

/// What the warden tells: a letter and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The child runs under this number.
    Started(i32),
    /// It could not be started, for this reason of the kernel.
    NotStarted(i32),
    /// It ended with this status.
    Ended(i32),
}

impl Ask {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Close => b'c',
            Self::Terminate => b't',
            Self::Kill => b'k',
        }
    }

    pub(super) fn of(byte: u8) -> Option<Self> {
        [Self::Close, Self::Terminate, Self::Kill].into_iter().find(|ask| ask.byte() == byte)
    }
}

impl News {
    /// How long each piece of news is.
    pub(super) const BYTES: usize = 5;

    pub(super) fn bytes(self) -> [u8; Self::BYTES] {
        let (letter, number) = match self {
            Self::Started(number) => (b's', number),
            Self::NotStarted(number) => (b'n', number),
            Self::Ended(number) => (b'e', number),
        };
        let [a, b, c, d] = number.to_ne_bytes();
        [letter, a, b, c, d]
    }

    pub(super) fn of([letter, number @ ..]: [u8; Self::BYTES]) -> Option<Self> {
        let number = i32::from_ne_bytes(number);
        Some(match letter {
            b's' => Self::Started(number),
            b'n' => Self::NotStarted(number),
            b'e' => Self::Ended(number),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_read_what_the_other_says() {
        for ask in [Ask::Close, Ask::Terminate, Ask::Kill] {
            assert_eq!(Ask::of(ask.byte()), Some(ask));
        }
        for news in [News::Started(7), News::NotStarted(2), News::Ended(-256)] {
            assert_eq!(News::of(news.bytes()), Some(news));
        }
        assert_eq!((Ask::of(0), News::of([0; News::BYTES])), (None, None));
    }
}
