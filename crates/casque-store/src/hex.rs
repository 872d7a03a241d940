//! Bytes as hexadecimal digits.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The bytes of such digits, in either case.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back_as_their_bytes() {
        let every_byte: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&every_byte)), Some(every_byte));
        assert_eq!(unhex("0aF9"), Some(vec![0x0a, 0xf9]));
        for wrong in ["0", "0g", "é", "+1", " 1"] {
            assert_eq!(unhex(wrong), None, "{wrong:?}");
        }
    }
}
