//! The custom section of a component in which its manifest stands.

use pawl_core::function::Manifest;
use wasm_encoder::{Component, CustomSection, RawSection};
use wasmparser::{BinaryReader, CustomSectionReader};

/// Bytes before a component's first section: the magic number, and the version of the format.
const HEADER_BYTES: usize = 8;
/// The number of custom sections.
const CUSTOM: u8 = 0;

/// The component with this manifest, in the place of one that it carried before.
///
/// # Errors
/// When the bytes are not sections after a component's header.
pub(super) fn embed(component: &[u8], manifest: &str) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut reader = BinaryReader::new(component, 0);
    reader.read_bytes(HEADER_BYTES)?;
    let mut embedded = Component::new();
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = usize::try_from(reader.read_var_u32()?).unwrap_or(usize::MAX);
        let start = reader.original_position();
        let data = reader.read_bytes(length)?;
        let is_manifest = id == CUSTOM
            && CustomSectionReader::new(BinaryReader::new(data, start))?.name() == Manifest::SECTION;
        if !is_manifest {
            embedded.section(&RawSection { id, data });
        }
    }
    embedded.section(&CustomSection { name: Manifest::SECTION.into(), data: manifest.as_bytes().into() });
    Ok(embedded.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty component, and one that holds a custom section and the same in an inner component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_manifest_takes_the_place_of_the_old_one_and_all_else_stays() {
        let inner = embed(EMPTY, "inner").unwrap();
        let mut outer =
            [EMPTY, &[0, 4, 1, b'x', 1, 2, 4, u8::try_from(inner.len()).unwrap()], &inner].concat();
        let plain = outer.clone();
        outer = embed(&outer, "one").unwrap();
        assert!(outer.starts_with(&plain), "what was there is as it was");
        let again = embed(&outer, "two").unwrap();
        assert_eq!(again, embed(&plain, "two").unwrap());
        assert_eq!(embed(&again, "two").unwrap(), again);
        let text = String::from_utf8_lossy(&again).into_owned();
        assert!(text.contains("inner") && text.contains("two") && !text.contains("one"));
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let whole = embed(EMPTY, "text").unwrap();
        for end in EMPTY.len() + 1..whole.len() {
            assert!(embed(&whole[..end], "x").is_err(), "{end}");
        }
        assert!(embed(b"", "x").is_err());
    }
}
