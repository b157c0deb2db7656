//! Write a rotator: the four steps of a rotation, without ever seeing a password.
//!
//! A rotator is a WebAssembly component that Pawl runs in a sandbox. It decides *what happens when*; the host holds every
//! password, dials every connection and writes every statement that carries one. What the rotator gets is a [`Sensitive`]: a
//! handle that a login, a password change, a request ([`http`]), a message over a connection ([`tcp`]) and a new version take, and that
//! nothing gives the text of.
//!
//! # A complete rotator
//!
//! ```
//! use pawl_guest::{Failure, Rotation, Rotator, Rules, Session, export};
//!
//! struct SingleUser;
//!
//! impl Rotator for SingleUser {
//!     fn create(rotation: &Rotation) -> Result<(), Failure> {
//!         rotation.create_pending(|current| Ok(current.with("password", rotation.random_password(&Rules::default())?)))
//!     }
//!
//!     fn set(rotation: &Rotation) -> Result<(), Failure> {
//!         let (pending, login) = (rotation.pending()?, rotation.login_known()?);
//!         if !login.already_set {
//!             login.session.set_password(&pending.text("username")?, &pending.sensitive("password")?)?;
//!         }
//!         Ok(())
//!     }
//!
//!     fn test(rotation: &Rotation) -> Result<(), Failure> {
//!         Ok(Session::login(&rotation.pending()?)?.ping()?)
//!     }
//! }
//!
//! export!(SingleUser);
//! # fn main() {}
//! ```
//!
//! Make it a crate with `crate-type = ["cdylib"]`, build it with `cargo build --release --target wasm32-wasip2`, and the
//! `.wasm` file is the component.
//!
//! # What the host promises, and what it asks
//!
//! * Every call is a fresh instance: there is no state but the secret's versions. That is why the trait has no `self`.
//! * **A step may be called again after it has succeeded.** A host can die between a step's end and the note of it, so each
//!   step begins by looking at what is already so. [`Rotation::create_pending`] does that for the first step.
//! * A [`Failure`] says whose move it is: a transient one is tried again by itself, a permanent one waits for a person. The
//!   errors of this crate turn into the right kind by `?`.
//! * The fields of a version that a rotator does not name stay as they are.

mod failure;
pub mod http;
mod rotation;
mod session;
pub mod tcp;

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "rotator",
        pub_export_macro: true,
        export_macro_name: "export_steps",
        default_bindings_module: "pawl_guest::bindings",
    });
}

use bindings::exports::pawl::rotation::steps;

pub use bindings::pawl::rotation::log::Level;
pub use failure::{DatabaseError, Failure, LoginError, SecretError};
pub use rotation::{Draft, FieldValue, Login, Rotation, Rules, Sensitive, Version};
pub use session::Session;

/// A variable of the function's environment, as the operator has set it.
#[must_use]
pub fn configuration(name: &str) -> Option<String> {
    bindings::pawl::rotation::configuration::get(name)
}

/// The other of the two user names between which alternating users change, by AWS's rule: `_clone` taken off, or put on.
///
/// None for a name that is nothing but the suffix. The host insists on this rule.
#[must_use]
pub fn alternate(username: &str) -> Option<String> {
    match username.strip_suffix("_clone") {
        Some("") => None,
        Some(plain) => Some(plain.to_owned()),
        None => Some(format!("{username}_clone")),
    }
}

/// The four steps of a rotation. Each may be called again after it has succeeded.
pub trait Rotator {
    /// Makes the new value and stores it as the pending version; [`Rotation::create_pending`] is the usual whole of it.
    ///
    /// # Errors
    /// When it could not, with whose move it is.
    fn create(rotation: &Rotation) -> Result<(), Failure>;

    /// Gives the pending version's password to the system that it opens.
    ///
    /// # Errors
    /// When it could not, with whose move it is.
    fn set(rotation: &Rotation) -> Result<(), Failure>;

    /// Proves that the pending version opens that system.
    ///
    /// # Errors
    /// When it does not, with whose move it is.
    fn test(rotation: &Rotation) -> Result<(), Failure>;

    /// Moves AWSCURRENT to the pending version. There is rarely a reason to write another.
    ///
    /// # Errors
    /// When it could not, with whose move it is.
    fn finish(rotation: &Rotation) -> Result<(), Failure> {
        Ok(rotation.promote()?)
    }
}

/// Makes a type that implements [`Rotator`] the crate's component.
#[macro_export]
macro_rules! export {
    ($rotator:ty) => {
        const _: () = {
            type Exported = $crate::Exported<$rotator>;
    $crate::bindings::export_steps!(Exported with_types_in $crate::bindings);
        };
    };
}

/// Writes a line to the rotation's history: `log!("..")`, or `log!(debug, "..")`, `log!(info, "..")`, `log!(warn, "..")`.
///
/// Takes what [`format!`] takes. The history keeps a bounded number of lines and cuts long ones.
#[macro_export]
macro_rules! log {
    (debug, $($text:tt)+) => { $crate::write_log($crate::Level::Debug, &::std::format!($($text)+)) };
    (info, $($text:tt)+) => { $crate::write_log($crate::Level::Info, &::std::format!($($text)+)) };
    (warn, $($text:tt)+) => { $crate::write_log($crate::Level::Warn, &::std::format!($($text)+)) };
    ($($text:tt)+) => { $crate::write_log($crate::Level::Info, &::std::format!($($text)+)) };
}

#[doc(hidden)]
pub fn write_log(level: Level, text: &str) {
    bindings::pawl::rotation::log::write(level, text);
}

/// The generated trait over [`Rotator`].
#[doc(hidden)]
pub struct Exported<R>(std::marker::PhantomData<R>);

impl<R: Rotator> steps::Guest for Exported<R> {
    fn create_secret(rotation: &steps::Rotation) -> Result<(), steps::Failure> {
        R::create(&Rotation::lent(rotation)).map_err(Into::into)
    }

    fn set_secret(rotation: &steps::Rotation) -> Result<(), steps::Failure> {
        R::set(&Rotation::lent(rotation)).map_err(Into::into)
    }

    fn test_secret(rotation: &steps::Rotation) -> Result<(), steps::Failure> {
        R::test(&Rotation::lent(rotation)).map_err(Into::into)
    }

    fn finish_secret(rotation: &steps::Rotation) -> Result<(), steps::Failure> {
        R::finish(&Rotation::lent(rotation)).map_err(Into::into)
    }
}
