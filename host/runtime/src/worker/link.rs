//! What a guest may call: the WIT's functions, and of WASI what a language's runtime needs. No file system, no sockets:
//! what is not linked here does not exist for a guest.

use pawl_core::rotation::Step;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::sync::io;
use wasmtime_wasi::p2::bindings::{cli, clocks, random};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::{WasiView as _, p2};

use super::guest::Guest;
use crate::wire::Ended;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../guest-sdk/wit",
        world: "rotator",
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

pub(super) use self::generated::RotatorPre;
use self::generated::exports::pawl::rotation::steps::Failure;
pub(super) use self::generated::pawl::rotation::{
    configuration, database, http, log, reveal, secrets, statements, tcp,
};

/// The `borrow<rotation>` that every step is given: there is one, so any number will do.
const ROTATION: u32 = 0;

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Everything that can be imported. `crate::compile` refuses components that import more.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    secrets::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    database::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    statements::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    http::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    tcp::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    reveal::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    configuration::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;
    log::add_to_linker::<Guest, HasSelf<Guest>>(l, |guest| guest)?;

    p2::bindings::io::error::add_to_linker::<Guest, HasTable>(l, |guest| guest.ctx().table)?;
    io::poll::add_to_linker::<Guest, HasTable>(l, |guest| guest.ctx().table)?;
    io::streams::add_to_linker::<Guest, HasTable>(l, |guest| guest.ctx().table)?;
    clocks::wall_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    clocks::monotonic_clock::add_to_linker::<Guest, WasiClocks>(l, Guest::clocks)?;
    random::random::add_to_linker::<Guest, WasiRandom>(l, Guest::random)?;
    random::insecure::add_to_linker::<Guest, WasiRandom>(l, Guest::random)?;
    random::insecure_seed::add_to_linker::<Guest, WasiRandom>(l, Guest::random)?;
    cli::environment::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::exit::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_input::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_output::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<Guest, WasiCli>(l, Guest::cli)?;
    Ok(linker)
}

/// Makes an instance and calls one step of it.
pub(super) fn call(
    prepared: &RotatorPre<Guest>,
    store: &mut Store<Guest>,
    step: Step,
) -> wasmtime::Result<Ended> {
    let rotator = prepared.instantiate(&mut *store)?;
    let steps = rotator.pawl_rotation_steps();
    let rotation = Resource::new_borrow(ROTATION);
    let result = match step {
        Step::CreateSecret => steps.call_create_secret(&mut *store, rotation),
        Step::SetSecret => steps.call_set_secret(&mut *store, rotation),
        Step::TestSecret => steps.call_test_secret(&mut *store, rotation),
        Step::FinishSecret => steps.call_finish_secret(&mut *store, rotation),
    }?;
    Ok(match result {
        Ok(()) => Ended::Done,
        Err(Failure::Transient(text)) => Ended::Transient(text),
        Err(Failure::Permanent(text)) => Ended::Permanent(text),
    })
}
