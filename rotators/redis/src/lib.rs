//! Rotates the password of a Redis or Valkey ACL user, so that the one from before goes on to work until the next rotation.
//!
//! A server holds several passwords of one user, as SHA-256 hashes. setSecret gives it the new one beside the current one, and takes all
//! others away; nothing breaks for who still has the current one. The hash is written by the host: no password in clear is in what
//! changes the user.
//!
//! The user changes its own password where it may (`+acl`), as `default` mostly does; else the secret's `masterarn` names the secret
//! of one who may. What is changed is made to last by ACL SAVE, or CONFIG REWRITE where the server has no ACL file: a server that
//! forgets a password when it starts again locks out who reads it here.

use pawl_guest::tcp::{Connection, Message, Number};
use pawl_guest::{Failure, Rotation, Rotator, Rules, Sensitive, Version, configuration, export, log};

struct AclUser;

impl Rotator for AclUser {
    fn create(rotation: &Rotation) -> Result<(), Failure> {
        // No space and no quote: they stand in configuration files and URLs.
        let rules = Rules { length: Some(40), exclude_punctuation: Some(true), ..Rules::default() };
        rotation.create_pending(|current| Ok(current.with("password", rotation.random_password(&rules)?)))
    }

    fn set(rotation: &Rotation) -> Result<(), Failure> {
        let (current, pending) = (rotation.current()?, rotation.pending()?);
        let user = user(&pending);
        if user != self::user(&current) {
            return Err(Failure::Permanent("the pending version names another user".to_owned()));
        }
        let server = administrator(rotation, &current, &pending, &user)?;
        let (old, new) = (current.sensitive("password")?, pending.sensitive("password")?);
        // One command, done whole or not at all, and as often as one likes.
        let keep_both = [
            Word::Text("ACL"),
            Word::Text("SETUSER"),
            Word::Text(&user),
            Word::Text("resetpass"),
            Word::Hash(&old),
            Word::Hash(&new),
        ];
        match server.ask(&keep_both)? {
            Said::Yes => persist(&server)?,
            said => return Err(said.failure("ACL SETUSER")),
        }
        log!("the server takes the new password of `{user}`, and the current one");
        Ok(())
    }

    fn test(rotation: &Rotation) -> Result<(), Failure> {
        let pending = rotation.pending()?;
        let user = user(&pending);
        match Server::of(&pending)?.login(&user, Word::Value(&pending.sensitive("password")?))? {
            Said::Yes => Ok(()),
            said => Err(said.failure("AUTH with the new password")),
        }
    }
}

export!(AclUser);

/// The user of a version: Redis's own, where it names none.
fn user(version: &Version) -> String {
    version.find_text("username").unwrap_or_else(|| "default".to_owned())
}

/// A login that may change the user.
fn administrator(
    rotation: &Rotation,
    current: &Version,
    pending: &Version,
    user: &str,
) -> Result<Server, Failure> {
    if let Some(arn) = current.find_text("masterarn") {
        let master = rotation.open(&arn)?;
        let name = self::user(&master);
        let login = || {
            let server = Server::of(pending)?;
            match server.login(&name, Word::Field(&master, "password"))? {
                Said::Yes => Ok(server),
                said => Err(said.failure("AUTH as the master user")),
            }
        };
        // ACL SETUSER makes a user that is not there, and who misspells a name would not notice.
        login()?.exists(user)?;
        return login();
    }
    let mut known = vec![current.sensitive("password")?];
    if rotation.exposed()? {
        known.insert(0, pending.sensitive("password")?);
    }
    let older = rotation.previous()?.into_iter().chain(rotation.others()?);
    known.extend(
        older.filter(|version| self::user(version) == user).filter_map(|it| it.find_sensitive("password")),
    );
    let mut last = None;
    for password in &known {
        let server = Server::of(pending)?;
        match server.login(user, Word::Value(password))? {
            Said::Yes => return Ok(server),
            said @ Said::WrongPassword => last = Some(said),
            said => return Err(said.failure("AUTH")),
        }
    }
    Err(last.unwrap_or(Said::Other).failure("AUTH with every known password"))
}

/// Has the server keep its users when it starts again.
fn persist(server: &Server) -> Result<(), Failure> {
    if configuration("REDIS_PERSIST").is_some_and(|how| how == "none") {
        return Ok(());
    }
    let mut said = server.ask(&["ACL", "SAVE"].map(Word::Text))?;
    if matches!(said, Said::Other) {
        said = server.ask(&["CONFIG", "REWRITE"].map(Word::Text))?;
    }
    match said {
        Said::Yes => Ok(()),
        Said::Other => Err(Failure::Permanent(
            "the server has neither an ACL file nor a configuration file to keep its users in, and would forget the new password when it \
             starts again: give it an `aclfile`, or set REDIS_PERSIST=none for a server whose users are made anew from elsewhere"
                .to_owned(),
        )),
        said => Err(said.failure("ACL SAVE and CONFIG REWRITE")),
    }
}

/// What a server said.
enum Said {
    Yes,
    WrongPassword,
    NotAllowed,
    /// It is not up to it now: starting, busy, full.
    NotNow,
    Replica,
    Other,
}

impl Said {
    fn failure(self, to: &str) -> Failure {
        match self {
            Self::NotNow => {
                Failure::Transient(format!("the server is starting, busy or full: {to} was not done"))
            }
            Self::WrongPassword => {
                Failure::Permanent(format!("{to}: the server does not know the user and password"))
            }
            Self::NotAllowed => Failure::Permanent(format!(
                "{to}: the user may not do that. It needs `+acl` (and `+config` without an ACL file), or the secret a `masterarn`"
            )),
            Self::Replica => Failure::Permanent(format!("{to}: the server is a replica")),
            Self::Yes | Self::Other => {
                Failure::Permanent(format!("{to}: the server answered otherwise than expected"))
            }
        }
    }
}

/// A word of a command.
enum Word<'a> {
    Text(&'a str),
    Value(&'a Sensitive),
    /// A sensitive field of a version, another secret's too.
    Field(&'a Version, &'a str),
    /// The hash of a value, as ACL SETUSER takes one.
    Hash(&'a Sensitive),
}

/// A command in the protocol's own form: every word with its length, so that nothing in a word can end it.
fn command<'a>(words: &[Word<'a>]) -> Message<'a> {
    words.iter().fold(Message::new().text(format!("*{}\r\n", words.len())), |message, word| {
        let message = message.text("$");
        let message = match word {
            Word::Text(text) => message.text(format!("{}\r\n{text}", text.len())),
            Word::Value(value) => message.length(value, Number::Decimal).text("\r\n").sensitive(value),
            Word::Field(of, name) => {
                message.field_length(of, name, Number::Decimal).text("\r\n").field(of, name)
            }
            // The sign, and 64 digits.
            Word::Hash(value) => message.text("65\r\n#").sha256(value),
        };
        message.text("\r\n")
    })
}

/// A server to which a connection is open.
struct Server(Connection);

impl Server {
    /// The one that a version names.
    fn of(version: &Version) -> Result<Self, Failure> {
        let host = version.text("host")?.to_ascii_lowercase();
        let port = version.find_text("port").unwrap_or_else(|| "6379".to_owned());
        let port = port.parse().map_err(|_| Failure::Permanent("the secret's `port` is none".to_owned()))?;
        Ok(Self(Connection::open(&host, port)?))
    }

    fn login(&self, user: &str, password: Word<'_>) -> Result<Said, Failure> {
        self.ask(&[Word::Text("AUTH"), Word::Text(user), password])
    }

    /// Sends a command whose answer is one line, and reads that.
    fn ask(&self, words: &[Word<'_>]) -> Result<Said, Failure> {
        self.0.send(&command(words))?;
        let answers = [
            "+OK\r",
            "-WRONGPASS",
            "-NOPERM",
            "-LOADING",
            "-BUSY",
            "-ERR max number of clients",
            "-READONLY",
            "-MASTERDOWN",
        ];
        Ok(match self.0.expect(&answers, "\r\n")? {
            Some(0) => Said::Yes,
            Some(1) => Said::WrongPassword,
            Some(2) => Said::NotAllowed,
            Some(3..=5) => Said::NotNow,
            Some(6 | 7) => Said::Replica,
            _ => Said::Other,
        })
    }

    /// Makes sure that there is a user of this name. The rest of the answer, which holds hashes, is not asked for.
    fn exists(self, user: &str) -> Result<(), Failure> {
        self.0.send(&command(&["ACL", "GETUSER", user].map(Word::Text)))?;
        match self.0.expect(&["*-1", "$-1", "_", "-NOPERM", "*", "%"], "\r\n")? {
            Some(4 | 5) => Ok(()),
            Some(0..=2) => Err(Failure::Permanent(format!("the server has no user `{user}`"))),
            Some(_) => Err(Said::NotAllowed.failure("ACL GETUSER")),
            None => Err(Said::Other.failure("ACL GETUSER")),
        }
    }
}
