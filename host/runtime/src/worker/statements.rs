//! The WIT's `statements`, as messages to the host.

use wasmtime::component::Resource;

use super::guest::{Guest, mismatch};
use super::link::{database, statements};
use crate::wire::{Call, DatabaseError, RanStatement, Reply};

type Answered<T> = wasmtime::Result<Result<T, database::Error>>;

impl Guest {
    fn run(
        &mut self,
        session: &Resource<database::Session>,
        statement: String,
        parameters: Vec<Option<String>>,
        rows: bool,
    ) -> wasmtime::Result<Result<RanStatement, DatabaseError>> {
        match self.ask(Call::Run { session: session.rep(), statement, parameters, rows })? {
            Reply::Ran(ran) => Ok(ran),
            _ => Err(mismatch()),
        }
    }
}

impl statements::Host for Guest {
    fn execute(
        &mut self,
        session: Resource<database::Session>,
        statement: String,
        parameters: Vec<Option<String>>,
    ) -> Answered<u32> {
        match self.run(&session, statement, parameters, false)? {
            Ok(RanStatement::Touched(count)) => Ok(Ok(count)),
            Ok(RanStatement::Rows(_)) => Err(mismatch()),
            Err(error) => Ok(Err(error.into())),
        }
    }

    fn query(
        &mut self,
        session: Resource<database::Session>,
        statement: String,
        parameters: Vec<Option<String>>,
    ) -> Answered<Vec<Vec<Option<String>>>> {
        match self.run(&session, statement, parameters, true)? {
            Ok(RanStatement::Rows(rows)) => Ok(Ok(rows)),
            Ok(RanStatement::Touched(_)) => Err(mismatch()),
            Err(error) => Ok(Err(error.into())),
        }
    }
}
