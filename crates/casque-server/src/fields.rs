//! A record as a row of fields, each with its length in front: for what is read at every ticket and validation, where JSON
//! costs more than all the rest of the reading, and for what there are many of, where its names cost as much as the values.
//!
//! Fields are only ever added at the end. A version that does not know one leaves it unread, and one that misses it
//! reads nothing there, so that servers of two versions can work side by side.

/// Writes a row of fields.
#[derive(Debug, Default)]
pub(crate) struct FieldWriter(Vec<u8>);

/// Reads a row of fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldReader<'a>(&'a [u8]);

/// How many bytes tell the length of a field.
const LENGTH: usize = size_of::<u32>();

impl FieldWriter {
    /// With room for a ticket of the usual length.
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(256))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a field is far shorter than 4 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.bytes(&number.to_be_bytes());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.text(if flag { "y" } else { "" });
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

impl<'a> FieldReader<'a> {
    pub(crate) fn new(record: &'a [u8]) -> Self {
        Self(record)
    }

    /// The next field; none at the end, and where the rest is no field.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    /// A field of one length.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes()?.try_into().ok()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A flag that is not there is not set.
    pub(crate) fn flag(&mut self) -> bool {
        self.bytes().is_some_and(|flag| flag == b"y")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Vec<u8> {
        let mut writer = FieldWriter::new();
        writer.text("name\u{0}\n,7:");
        writer.text("");
        writer.number(u64::MAX);
        writer.flag(true);
        writer.flag(false);
        writer.bytes(&[0, 0xff, 7]);
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let row = row();
        let mut reader = FieldReader::new(&row);
        assert_eq!(reader.text().as_deref(), Some("name\u{0}\n,7:"));
        assert_eq!(reader.text().as_deref(), Some(""));
        assert_eq!(reader.number(), Some(u64::MAX));
        assert!(reader.flag());
        assert!(!reader.flag());
        let mut again = reader;
        assert_eq!(again.array::<2>(), None, "of one length only");
        assert_eq!(reader.array(), Some([0, 0xff, 7]));
        assert_eq!(reader.text(), None);
        assert_eq!(reader.number(), None);
        assert!(!reader.flag());
    }

    #[test]
    fn what_is_cut_or_no_row_is_not_read() {
        let row = row();
        for end in 0..row.len() {
            let mut reader = FieldReader::new(&row[..end]);
            while reader.bytes().is_some() {}
        }
        for odd in [
            &b"{\"login\":{}}"[..],
            b"\xff\xff\xff\xff",
            b"\0\0\0\x02\xc3",
        ] {
            let mut reader = FieldReader::new(odd);
            assert_eq!(reader.text(), None, "{odd:?}");
        }
        // A number has eight bytes, and a text is UTF-8.
        assert_eq!(FieldReader::new(b"\0\0\0\x01a").number(), None);
        assert_eq!(FieldReader::new(b"\0\0\0\x01\xff").text(), None);
    }
}
