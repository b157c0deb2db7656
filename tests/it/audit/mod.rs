//! The audit log: every call of every service leaves its line, and no line can be changed unseen.

mod disk;
mod hung;
mod kill;
mod log;
mod outbox;
mod records;
mod whole;
