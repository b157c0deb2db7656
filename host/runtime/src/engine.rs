//! The one configuration of Wasmtime: what compiles a component and what runs it must agree on it.

use std::hash::{Hash, Hasher};

use pawl_core::limits;
use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Engine};

/// What a compiled component depends on besides its source: Wasmtime's version, its settings, and this processor.
pub(crate) type Identity = [u8; 32];

/// An engine that allocates on demand: nothing of one step's memory is ever another step's, and compiling needs no address
/// space in advance.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(true)
        .max_wasm_stack(limits::GUEST_STACK_BYTES)
        .wasm_component_model(true)
        // Rotators need none of these, and each is code of the compiler that an attacker cannot reach when it is off.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false);
    Engine::new(&config)
}

/// The identity of an engine.
pub(crate) fn identity(engine: &Engine) -> Identity {
    let mut hasher = IdentityHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// SHA-256 as a `Hasher`: 64 bits would not tell an attacker's configuration from ours.
struct IdentityHasher(Sha256);

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_the_same_every_time_and_another_configuration_is_not() {
        let first = identity(&engine().unwrap());
        assert_eq!(first, identity(&engine().unwrap()));
        assert_ne!(first, identity(&Engine::new(&Config::new()).unwrap()));
    }
}
