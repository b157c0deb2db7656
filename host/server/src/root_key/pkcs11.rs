//! A root key that a key in a PKCS#11 token has encrypted (AES-GCM): the token's key never leaves it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use pawl_core::value::SecretBytes;
use pawl_core::world::Rng;
use pawl_keyring::RootKey;

use super::ProviderError;
use super::source::Pkcs11Key;

const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
/// What the root key is bound to.
const BOUND: &[u8] = b"pawl root key";

/// A new root key, and the same encrypted.
pub(super) fn make(
    key: &Pkcs11Key,
    pin: &SecretBytes,
    rng: &dyn Rng,
) -> Result<(RootKey, String), ProviderError> {
    let root = RootKey::generate(rng);
    let mut nonce = [0; NONCE_BYTES];
    rng.fill(&mut nonce);
    let drawn = nonce;
    let (session, handle) = find(key, pin)?;
    let params = GcmParams::new(&mut nonce, BOUND, TAG_BITS.into()).map_err(|error| told(&error))?;
    let sealed = session.encrypt(&Mechanism::AesGcm(params), handle, root.bytes().expose());
    let sealed = sealed.map_err(|error| told(&error))?;
    Ok((root, STANDARD.encode([&drawn[..], &sealed].concat())))
}

/// The root key that was encrypted.
pub(super) fn open(key: &Pkcs11Key, pin: &SecretBytes, wrapped: &str) -> Result<RootKey, ProviderError> {
    let damaged = ProviderError::Unexpected("what the store's key record holds for the token is damaged");
    let Ok(bytes) = STANDARD.decode(wrapped) else { return Err(damaged) };
    let Some((nonce, sealed)) = bytes.split_first_chunk::<NONCE_BYTES>() else { return Err(damaged) };
    let mut nonce = *nonce;
    let (session, handle) = find(key, pin)?;
    let params = GcmParams::new(&mut nonce, BOUND, TAG_BITS.into()).map_err(|error| told(&error))?;
    let opened = session.decrypt(&Mechanism::AesGcm(params), handle, sealed).map_err(|error| told(&error))?;
    RootKey::from_bytes(SecretBytes::new(opened))
        .ok_or(ProviderError::Unexpected("its key does not have 32 bytes"))
}

/// A session of the user's, and the one AES key of the label.
fn find(key: &Pkcs11Key, pin: &SecretBytes) -> Result<(Session, ObjectHandle), ProviderError> {
    let module = load(&key.module)?;
    let slots = module.get_slots_with_initialized_token().map_err(|error| told(&error))?;
    let named = |slot: &cryptoki::slot::Slot| {
        module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == key.token)
    };
    let mut slots = slots.into_iter().filter(named);
    let slot = slots
        .next()
        .ok_or_else(|| ProviderError::Refused(format!("the module has no token `{}`", key.token)))?;
    let session = module.open_ro_session(slot).map_err(|error| told(&error))?;
    let pin = std::str::from_utf8(pin.expose())
        .map_err(|_| ProviderError::Unexpected("the PIN is not text"))?
        .trim_end_matches(['\r', '\n'])
        .to_owned();
    match session.login(UserType::User, Some(&AuthPin::new(pin.into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(told(&error)),
    }
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Label(key.key.clone().into_bytes()),
    ];
    let mut found = session.find_objects(&template).map_err(|error| told(&error))?.into_iter();
    match (found.next(), found.next()) {
        (Some(handle), None) => Ok((session, handle)),
        (None, _) => Err(ProviderError::Refused(format!("the token has no AES key `{}`", key.key))),
        (Some(_), Some(_)) => {
            Err(ProviderError::Refused(format!("the token has several AES keys `{}`", key.key)))
        }
    }
}

fn load(path: &Path) -> Result<Pkcs11, ProviderError> {
    let module = Pkcs11::new(path).map_err(|error| told(&error))?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // It is one of a process, and stays.
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(told(&error)),
    }
}

fn told(error: &Error) -> ProviderError {
    match error {
        Error::LibraryLoading(_) => ProviderError::Refused("the module could not be loaded".to_owned()),
        Error::Pkcs11(code, function) => {
            let why = format!("{function:?} answered {code:?}");
            match code {
                RvError::DeviceError | RvError::DeviceRemoved | RvError::TokenNotPresent => {
                    ProviderError::Unreachable(why)
                }
                _ => ProviderError::Refused(why),
            }
        }
        _ => ProviderError::Refused("the module does not do what it should".to_owned()),
    }
}
