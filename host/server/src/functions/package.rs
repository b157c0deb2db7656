//! What is uploaded: a zip that holds one component, or the component itself.

use std::io::{Cursor, Read as _};

use pawl_core::function::{Digest, Package};
use pawl_core::limits;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// Why there is no component in a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// Larger than AWS takes.
    #[error("a package has at most {max} bytes, and this one has {0}", max = limits::PACKAGE_BYTES_MAX)]
    TooLong(usize),
    /// No zip, and no component.
    #[error(
        "Could not unzip uploaded file. Please check your file, then try to upload again. It must be a zip that holds one \
         WebAssembly component, a file whose name ends in .wasm, or the component itself"
    )]
    NoZip,
    /// A zip with a directory of entries that no package has.
    #[error(
        "the zip has more than {} entries; it must hold one component and nothing else",
        limits::PACKAGE_ENTRIES_MAX
    )]
    TooManyEntries,
    /// A zip with something else, which would have no effect.
    #[error(
        "the zip holds `{0}`; it must hold one component, a file whose name ends in .wasm, and nothing else"
    )]
    Another(String),
    /// A zip with two components.
    #[error(
        "the zip holds more than one component, a file whose name ends in .wasm; upload one function at a time"
    )]
    TwoComponents,
    /// A zip without one.
    #[error("the zip holds no component, a file whose name ends in .wasm")]
    NoComponent,
    /// An entry that is encrypted, damaged, or compressed in a way that is not read.
    #[error(
        "the component in the zip cannot be read; compress it by `deflate` or not at all, and without a password"
    )]
    Unreadable,
    /// A component that is larger than any may be.
    #[error("the component in the zip has more than {} bytes", limits::COMPONENT_BYTES_MAX)]
    ComponentTooLong,
}

/// What a package holds, and what it is known by.
pub(crate) struct Unpacked {
    /// The component's bytes, whatever is in them.
    pub(crate) component: Vec<u8>,
    /// The zip; none when the component came as it is.
    pub(crate) package: Option<Package>,
}

/// How WebAssembly begins.
const WASM: &[u8] = b"\0asm";
/// How each entry of a zip's directory begins.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Takes the component out of a package. What it reads is bounded, whatever the package says of itself.
///
/// # Errors
/// When there is not exactly one component, and nothing else.
pub(crate) fn unpack(bytes: Vec<u8>) -> Result<Unpacked, PackageError> {
    if bytes.len() > limits::PACKAGE_BYTES_MAX {
        return Err(PackageError::TooLong(bytes.len()));
    }
    if bytes.starts_with(WASM) {
        return Ok(Unpacked { component: bytes, package: None });
    }
    // The reader allocates for every entry before anybody can ask how many there are.
    if bytes.windows(ENTRY.len()).filter(|four| *four == ENTRY).count() > limits::PACKAGE_ENTRIES_MAX {
        return Err(PackageError::TooManyEntries);
    }
    let digest = Digest::from_bytes(Sha256::digest(&bytes).into());
    let package = Package { digest, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| PackageError::NoZip)?;
    let mut component = None;
    for place in 0..archive.len() {
        let entry = archive.by_index(place).map_err(|_| PackageError::Unreadable)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().map_err(|_| PackageError::Unreadable)?.into_owned();
        if !name.ends_with(".wasm") {
            return Err(PackageError::Another(shown(&name)));
        }
        if component.is_some() {
            return Err(PackageError::TwoComponents);
        }
        component = Some(read(entry)?);
    }
    let component = component.ok_or(PackageError::NoComponent)?;
    Ok(Unpacked { component, package: Some(package) })
}

/// An entry's bytes, no more than a component may have. The size that its header claims is not believed.
fn read(entry: impl std::io::Read) -> Result<Vec<u8>, PackageError> {
    let max = u64::try_from(limits::COMPONENT_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    entry.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|_| PackageError::Unreadable)?;
    if bytes.len() > limits::COMPONENT_BYTES_MAX {
        return Err(PackageError::ComponentTooLong);
    }
    Ok(bytes)
}

/// A name out of a zip, for a message.
fn shown(name: &str) -> String {
    name.chars().take(limits::FUNCTION_NAME_CHARS_MAX).collect::<String>().escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in entries {
            if name.ends_with('/') {
                writer.add_directory(*name, options).unwrap();
            } else {
                writer.start_file(*name, options).unwrap();
                writer.write_all(bytes).unwrap();
            }
        }
        writer.finish().unwrap().into_inner()
    }

    fn refused(bytes: Vec<u8>) -> PackageError {
        unpack(bytes).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_component_comes_out_of_a_zip_or_as_it_is() {
        let zip = zipped(&[("dir/", b""), ("dir/any-name.wasm", b"\0asm etc")]);
        let digest = Digest::from_bytes(Sha256::digest(&zip).into());
        let unpacked = unpack(zip.clone()).unwrap();
        assert_eq!(unpacked.component, b"\0asm etc");
        assert_eq!(unpacked.package, Some(Package { digest, bytes: zip.len() as u64 }));
        let raw = unpack(b"\0asm etc".to_vec()).unwrap();
        assert!(raw.component == b"\0asm etc" && raw.package.is_none());
    }

    #[test]
    fn a_zip_holds_one_component_and_nothing_else() {
        assert_eq!(refused(zipped(&[])), PackageError::NoComponent);
        assert_eq!(refused(zipped(&[("a.wasm", b"1"), ("b.wasm", b"2")])), PackageError::TwoComponents);
        assert_eq!(
            refused(zipped(&[("a.wasm", b"1"), ("pawl.toml", b"2")])),
            PackageError::Another("pawl.toml".to_owned())
        );
        for no_zip in [&b""[..], b"PK", b"PK\x03\x04 and then nothing", b"#!/bin/sh", b"\x1f\x8b"] {
            assert_eq!(refused(no_zip.to_vec()), PackageError::NoZip);
        }
        let whole = zipped(&[("a.wasm", &[7; 10_000])]);
        for end in 0..whole.len() {
            assert!(unpack(whole[..end].to_vec()).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0; limits::COMPONENT_BYTES_MAX + 1];
        let bomb = zipped(&[("a.wasm", &zeros)]);
        assert!(bomb.len() < 1024 * 1024, "{} bytes", bomb.len());
        assert_eq!(refused(bomb), PackageError::ComponentTooLong);
        let names: Vec<String> = (0..=limits::PACKAGE_ENTRIES_MAX).map(|n| format!("{n}/")).collect();
        let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert_eq!(refused(zipped(&many)), PackageError::TooManyEntries);
        assert_eq!(
            refused(vec![0; limits::PACKAGE_BYTES_MAX + 1]),
            PackageError::TooLong(limits::PACKAGE_BYTES_MAX + 1)
        );
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic() {
        let whole = zipped(&[("a.wasm", b"\0asm etc, and a little more of it")]);
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                other[place] ^= 1 << bit;
                if let Ok(unpacked) = unpack(other) {
                    assert!(unpacked.component.len() < 1_000);
                }
            }
        }
    }
}
