//! Bytes as hexadecimal digits.

/// Two lower-case digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

/// The bytes of such digits, in either case.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
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
