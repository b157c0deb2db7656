//! What a component says of itself: the text of `pawl.toml`, which its author wrote and its custom section carries.

use serde::{Deserialize, Serialize};

use super::Grants;
use crate::limits;

/// Where the functions that a host gives to rotators are.
const OWN_PACKAGE: &str = "pawl:rotation/";

/// A component's manifest: what it asks for. Whether it gets it is the operator's decision, and not written here; nor is the
/// environment, which is the operator's too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manifest {
    /// What the function is for, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seconds that one step may take, unless the function's configuration says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// Megabytes of memory that one step may use, unless the function's configuration says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// What it asks to reach.
    pub grants: Grants,
}

impl Manifest {
    /// The name of the custom section that holds it.
    pub const SECTION: &'static str = "pawl:manifest";

    /// A manifest from the text of `pawl.toml`.
    ///
    /// # Errors
    /// Where and why it is not one, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::MANIFEST_BYTES_MAX {
            return Err(format!("a manifest has at most {} bytes", limits::MANIFEST_BYTES_MAX));
        }
        let manifest: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let range = |name, value: Option<u32>, (min, max): (u32, u32)| match value {
            Some(value) if value < min || value > max => Err(format!("{name} must be from {min} to {max}")),
            _ => Ok(()),
        };
        range("timeout", manifest.timeout, (1, limits::FUNCTION_TIMEOUT_SECONDS_MAX))?;
        range("memory", manifest.memory, (limits::FUNCTION_MEMORY_MB_MIN, limits::FUNCTION_MEMORY_MB_MAX))?;
        Ok(manifest)
    }

    /// Whether it asks for all that a component with these imports can use.
    ///
    /// # Errors
    /// One sentence for each import without its grant, naming both.
    pub fn covers(&self, imports: &[String]) -> Result<(), Vec<String>> {
        let lacking: Vec<_> = imports
            .iter()
            .filter_map(|import| {
                let grant = self.lacks(import)?;
                Some(format!("it imports {import}, and its manifest does not ask for `{grant}` in [grants]"))
            })
            .collect();
        if lacking.is_empty() { Ok(()) } else { Err(lacking) }
    }

    /// The grant that an import needs and this manifest does not ask for.
    fn lacks(&self, import: &str) -> Option<&'static str> {
        let interface = import.strip_prefix(OWN_PACKAGE)?;
        let interface = interface.split_once('@').map_or(interface, |(name, _)| name);
        match interface {
            "database" if self.grants.engines.is_empty() => Some("engines"),
            "http" if self.grants.http.is_empty() => Some("http"),
            "tcp" if self.grants.tcp.is_empty() => Some("tcp"),
            "reveal" if !self.grants.reveal => Some("reveal"),
            "statements" if !self.grants.statements => Some("statements"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_manifest_says_what_it_asks_and_nothing_unknown() {
        let text =
            "description = \"Shop\"\ntimeout = 20\n[grants]\nengines = [\"postgres\"]\nown-target = true\n";
        let manifest = Manifest::parse(text).unwrap();
        assert_eq!(
            (manifest.description.as_deref(), manifest.timeout, manifest.memory),
            (Some("Shop"), Some(20), None)
        );
        assert!(manifest.grants.own_target && manifest.grants.engines.len() == 1);
        assert_eq!(Manifest::parse("").unwrap(), Manifest::default());
        assert_eq!(Manifest::parse(&toml::to_string(&manifest).unwrap()).unwrap(), manifest);
        for (bad, why) in [
            ("[grants]\neverything = true\n", "everything"),
            ("[environment]\nA = \"b\"\n", "environment"),
            ("timeout = 0\n", "timeout must be from 1 to 900"),
            ("memory = 64\n", "memory must be from 128 to 10240"),
            ("timeout = \"soon\"\n", "timeout"),
        ] {
            let error = Manifest::parse(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(Manifest::parse(&"#".repeat(limits::MANIFEST_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn an_import_needs_its_grant() {
        let nothing = Manifest::default();
        let needs_none =
            imports(&["pawl:rotation/secrets@0.1.0", "pawl:rotation/log@0.1.0", "wasi:io/poll@0.2.6"]);
        assert_eq!(nothing.covers(&needs_none), Ok(()));
        let database = imports(&["pawl:rotation/database@0.1.0"]);
        let lacking = nothing.covers(&database).unwrap_err();
        assert_eq!(lacking.len(), 1);
        assert!(
            lacking[0].contains("pawl:rotation/database@0.1.0") && lacking[0].contains("`engines`"),
            "{lacking:?}"
        );
        let asks = Manifest::parse("[grants]\nengines = [\"mysql\"]\n").unwrap();
        assert_eq!(asks.covers(&database), Ok(()));
        let http = imports(&["pawl:rotation/http@0.1.0"]);
        assert!(asks.covers(&http).unwrap_err()[0].contains("`http`"));
        let text =
            "[[grants.http]]\norigin = \"https://a.example\"\nmethods = [\"PUT\"]\npaths = [\"/v1/key\"]\n";
        let asks = Manifest::parse(text).unwrap();
        assert_eq!(asks.covers(&http), Ok(()));
        assert_eq!(Manifest::parse(&toml::to_string(&asks).unwrap()).unwrap(), asks);
        let tcp = imports(&["pawl:rotation/tcp@0.1.0"]);
        assert!(asks.covers(&tcp).unwrap_err()[0].contains("does not ask for `tcp`"));
        let asks = Manifest::parse("[[grants.tcp]]\ntargets = [\"cache:6379\"]\n").unwrap();
        assert_eq!(asks.covers(&tcp), Ok(()));
        for grant in ["reveal", "statements"] {
            let import = imports(&[&format!("pawl:rotation/{grant}@0.1.0")]);
            let lacking = asks.covers(&import).unwrap_err();
            assert!(lacking[0].contains(&format!("does not ask for `{grant}`")), "{lacking:?}");
            let asks = Manifest::parse(&format!("[grants]\n{grant} = true\n")).unwrap();
            assert_eq!(asks.covers(&import), Ok(()));
        }
    }
}
