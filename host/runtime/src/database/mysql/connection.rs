//! A login that stands: statements over it, and their answers.

use pawl_core::limits;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{QueryError, ServerError};
use super::wire::{Broken, Channel, Reader};

/// A row: its columns as text, nothing for SQL's NULL.
pub(super) type Row = Vec<Option<String>>;

mod command {
    pub(super) const QUIT: u8 = 0x01;
    pub(super) const QUERY: u8 = 0x03;
    pub(super) const PING: u8 = 0x0e;
}

/// `SERVER_MORE_RESULTS_EXISTS`: nothing that Pawl sends has several.
const MORE_RESULTS: u16 = 8;
/// An EOF packet is shorter than this; a row that begins with the same byte is not.
const EOF_BYTES_MAX: usize = 9;

const STRANGE: QueryError = QueryError::Lost("broke: the server does not speak MySQL's protocol");

/// A connection after its login. One statement runs at a time; one whose caller goes away ends the connection, since its answer
/// would be taken for the next one's.
pub(super) struct Connection(Mutex<Option<Channel>>);

impl Connection {
    pub(super) fn new(channel: Channel) -> Self {
        Self(Mutex::new(Some(channel)))
    }

    /// A round trip that touches nothing.
    pub(super) async fn ping(&self) -> Result<(), QueryError> {
        self.run(command::PING, "").await.map(drop)
    }

    /// Runs one statement; what it answers is not looked at.
    pub(super) async fn execute(&self, statement: &str) -> Result<(), QueryError> {
        self.run(command::QUERY, statement).await.map(drop)
    }

    /// Runs one statement, and gives its rows; none for one that has no rows.
    pub(super) async fn query(&self, statement: &str) -> Result<Vec<Row>, QueryError> {
        self.run(command::QUERY, statement).await
    }

    async fn run(&self, command: u8, statement: &str) -> Result<Vec<Row>, QueryError> {
        let mut place = self.0.lock().await;
        let mut channel = place.take().ok_or(QueryError::Lost("has ended"))?;
        let mut packet = Zeroizing::new(Vec::with_capacity(statement.len() + 1));
        packet.push(command);
        packet.extend_from_slice(statement.as_bytes());
        let asked = async {
            channel.begin();
            channel.send(&packet).await?;
            answer(&mut channel).await
        };
        match timeout(limits::STATEMENT_TIMEOUT, asked).await {
            Ok(Ok(answer)) => {
                if !matches!(&answer, Err(QueryError::Lost(_))) {
                    *place = Some(channel);
                }
                answer
            }
            Ok(Err(Broken::Closed(_))) => Err(QueryError::Lost("broke")),
            Ok(Err(Broken::Protocol)) => Err(STRANGE),
            Err(_) => Err(QueryError::Lost("did not answer in time")),
        }
    }
}

impl Drop for Connection {
    /// Says goodbye, so that the server does not log a connection that was lost.
    fn drop(&mut self) {
        if let (Some(mut channel), Ok(runtime)) = (self.0.get_mut().take(), Handle::try_current()) {
            drop(runtime.spawn(timeout(limits::LOGIN_TIMEOUT, async move {
                channel.begin();
                channel.send(&[command::QUIT]).await.ok();
            })));
        }
    }
}

/// Reads the whole answer to a statement.
async fn answer(channel: &mut Channel) -> Result<Result<Vec<Row>, QueryError>, Broken> {
    let head = channel.receive().await?;
    let columns = match head.first() {
        Some(0x00) => {
            let more = ok_status(&head).ok_or(Broken::Protocol)? & MORE_RESULTS != 0;
            return Ok(if more { Err(STRANGE) } else { Ok(Vec::new()) });
        }
        Some(0xff) => return refused(&head),
        // Here a server would ask for a file (LOAD DATA LOCAL), which nobody has offered: no number of columns.
        _ => Reader::new(&head).number().ok_or(Broken::Protocol)?,
    };
    if columns == 0 || columns > limits::SERVER_COLUMNS_MAX {
        return Err(Broken::Protocol);
    }
    for _ in 0..columns {
        channel.receive().await?;
    }
    if !is_eof(&channel.receive().await?) {
        return Err(Broken::Protocol);
    }
    let mut rows = Vec::new();
    loop {
        let packet = channel.receive().await?;
        if is_eof(&packet) {
            return Ok(Ok(rows));
        }
        if packet.first() == Some(&0xff) {
            return refused(&packet);
        }
        rows.push(row(&packet, columns).ok_or(Broken::Protocol)?);
    }
}

fn refused(packet: &[u8]) -> Result<Result<Vec<Row>, QueryError>, Broken> {
    let error = ServerError::parse(packet).ok_or(Broken::Protocol)?;
    Ok(Err(QueryError::Server(error)))
}

/// The status flags of an OK packet.
fn ok_status(packet: &[u8]) -> Option<u16> {
    let mut reader = Reader::new(packet);
    reader.byte()?;
    let _affected = reader.number()?;
    let _inserted = reader.number()?;
    reader.u16()
}

fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < EOF_BYTES_MAX
}

fn row(packet: &[u8], columns: u64) -> Option<Row> {
    let mut reader = Reader::new(packet);
    let mut row = Row::new();
    for _ in 0..columns {
        row.push(match reader.field()? {
            Some(bytes) => Some(std::str::from_utf8(bytes).ok()?.to_owned()),
            None => None,
        });
    }
    reader.rest().is_empty().then_some(row)
}
