//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::edge::rate::client;

/// Counts the connections of each client's address. One lock: it is taken once for a connection, not for a request.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    /// At most so many of one address; 0 is without end.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more, where there may be one more. Nothing is counted where there is no end.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Option<Counted>, ()> {
        if self.most == 0 {
            return Ok(None);
        }
        let address = client(address);
        let mut open = self.open();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return Err(());
        }
        *count += 1;
        drop(open);
        Ok(Some(Counted { addresses: Arc::clone(self), address }))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.addresses.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_another_as_many() {
        let addresses = Addresses::new(2);
        let [one, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        let held = [addresses.admit(one).unwrap(), addresses.admit(one).unwrap()];
        assert!(addresses.admit(one).is_err());
        assert!(addresses.admit(other).is_ok(), "and it is not held");
        drop(held);
        assert!(addresses.open().is_empty(), "nobody is remembered who is gone");
        assert!(addresses.admit(one).is_ok());
    }

    #[test]
    fn a_network_of_version_6_is_one_client() {
        let addresses = Addresses::new(1);
        let admit = |text: &str| addresses.admit(text.parse().unwrap());
        let held = admit("2001:db8:1:2::1").unwrap();
        assert!(admit("2001:db8:1:2:ffff::9").is_err());
        assert!(admit("2001:db8:1:3::1").is_ok());
        drop(held);
    }
}
