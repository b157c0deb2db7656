//! What a component is made of, read without compiling or instantiating anything of it: what it imports and exports, the
//! manifest that it carries, and how many instances it stands for.
//!
//! A component of a kilobyte can stand for millions of instances, each component making two of the one before. They are
//! counted here, in time that follows the component's length, before a compiler unfolds them.

use pawl_core::function::Manifest;
use pawl_core::limits;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef,
    Encoding, Instance, Parser, Payload,
};

/// What was read of a component.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Anatomy {
    /// The names of its imports, versions included.
    pub(crate) imports: Vec<String>,
    /// The names of its exports.
    pub(crate) exports: Vec<String>,
    /// The manifest that it carries.
    pub(crate) manifest: Option<String>,
}

/// How many instances one instantiation makes; none when it cannot be told from the component alone.
type Cost = Option<u64>;

/// A component that is being read.
#[derive(Default)]
struct Open {
    /// The index space of components.
    components: Vec<Cost>,
    instances: u64,
}

/// What is open while its parts are read.
enum Level {
    Component(Open),
    Module,
}

impl Anatomy {
    /// Reads a component.
    ///
    /// # Errors
    /// Why it cannot be used, as the rest of a sentence that begins with "the component".
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, String> {
        // A reader's own words about this are an excerpt of memory.
        if !bytes.starts_with(b"\0asm") {
            return Err(invalid("it does not begin as one does"));
        }
        let mut reader = Reader::default();
        for payload in Parser::new(0).parse_all(bytes) {
            reader.take(payload.map_err(invalid)?)?;
        }
        Ok(reader.anatomy)
    }
}

fn invalid(error: impl std::fmt::Display) -> String {
    format!("is not a valid WebAssembly component: {error}")
}

fn dangling() -> String {
    invalid("it names a component that it does not have")
}

#[derive(Default)]
struct Reader {
    anatomy: Anatomy,
    levels: Vec<Level>,
}

impl Reader {
    fn take(&mut self, payload: Payload<'_>) -> Result<(), String> {
        // Only the outermost component speaks to the host. What it holds is its own business.
        let outermost = self.levels.len() == 1;
        match payload {
            Payload::Version { encoding, .. } => self.open(encoding)?,
            Payload::End(_) => self.close()?,
            Payload::CustomSection(section) if outermost && section.name() == Manifest::SECTION => {
                self.manifest(section.data())?;
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.map_err(invalid)?;
                    if outermost {
                        self.import(import.name.name)?;
                    }
                    if matches!(import.ty, ComponentTypeRef::Component(_)) {
                        self.component(None)?;
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.map_err(invalid)?;
                    if outermost {
                        self.anatomy.exports.push(export.name.name.to_owned());
                    }
                    // An export is a new name of the same thing, with an index of its own.
                    if export.kind == ComponentExternalKind::Component {
                        let cost = self.cost(0, export.index)?;
                        self.component(cost)?;
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias.map_err(invalid)?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let made = match instance.map_err(invalid)? {
                        ComponentInstance::Instantiate { component_index, .. } => {
                            self.made(component_index)?
                        }
                        ComponentInstance::FromExports(_) => 1,
                    };
                    self.count(made)?;
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section {
                    let (Instance::Instantiate { .. } | Instance::FromExports(_)) =
                        instance.map_err(invalid)?;
                    self.count(1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, encoding: Encoding) -> Result<(), String> {
        if self.levels.is_empty() && encoding == Encoding::Module {
            return Err(
                "is a core module, and no component: build it for the target wasm32-wasip2".to_owned()
            );
        }
        if self.levels.len() > limits::COMPONENT_DEPTH_MAX {
            let max = limits::COMPONENT_DEPTH_MAX;
            return Err(format!("has components within components more than {max} levels deep"));
        }
        self.levels.push(match encoding {
            Encoding::Component => Level::Component(Open::default()),
            Encoding::Module => Level::Module,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        if let Some(Level::Component(open)) = self.levels.pop()
            && !self.levels.is_empty()
        {
            // The instance of the component itself, and those that it makes.
            self.component(Some(open.instances.saturating_add(1)))?;
        }
        Ok(())
    }

    fn current(&mut self) -> Result<&mut Open, String> {
        match self.levels.last_mut() {
            Some(Level::Component(open)) => Ok(open),
            Some(Level::Module) | None => Err(invalid("a section of a component is not in one")),
        }
    }

    /// The cost of a component of the component `outward` levels out.
    fn cost(&self, outward: u32, index: u32) -> Result<Cost, String> {
        let (outward, index) = (usize::try_from(outward), usize::try_from(index));
        let (Ok(outward), Ok(index)) = (outward, index) else { return Err(dangling()) };
        match self.levels.iter().rev().nth(outward) {
            Some(Level::Component(open)) => open.components.get(index).copied().ok_or_else(dangling),
            Some(Level::Module) | None => Err(dangling()),
        }
    }

    fn component(&mut self, cost: Cost) -> Result<(), String> {
        self.current()?.components.push(cost);
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), String> {
        match *alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                let cost = self.cost(count, index)?;
                self.component(cost)
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.component(None)
            }
            _ => Ok(()),
        }
    }

    /// What instantiating a component makes.
    fn made(&self, index: u32) -> Result<u64, String> {
        self.cost(0, index)?.ok_or_else(|| {
            "instantiates a component that it is given: how many instances it makes cannot be told, so it is not taken"
                .to_owned()
        })
    }

    fn count(&mut self, made: u64) -> Result<(), String> {
        let open = self.current()?;
        open.instances = open.instances.saturating_add(made);
        if open.instances > limits::COMPONENT_INSTANCES_MAX {
            let max = limits::COMPONENT_INSTANCES_MAX;
            return Err(format!("makes more than {max} instances of modules and components"));
        }
        Ok(())
    }

    fn import(&mut self, name: &str) -> Result<(), String> {
        if self.anatomy.imports.len() >= limits::COMPONENT_IMPORTS_MAX {
            return Err(format!("has more than {} imports", limits::COMPONENT_IMPORTS_MAX));
        }
        self.anatomy.imports.push(name.to_owned());
        Ok(())
    }

    fn manifest(&mut self, data: &[u8]) -> Result<(), String> {
        if data.len() > limits::MANIFEST_BYTES_MAX {
            let (bytes, max) = (data.len(), limits::MANIFEST_BYTES_MAX);
            return Err(format!("carries a manifest of {bytes} bytes, more than {max}"));
        }
        let text =
            std::str::from_utf8(data).map_err(|_| "carries a manifest that is not UTF-8 text".to_owned())?;
        if self.anatomy.manifest.replace(text.to_owned()).is_some() {
            return Err("carries more than one manifest".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Anatomy, String> {
        Anatomy::of(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn imports_exports_and_the_outermost_manifest_are_told() {
        let anatomy = read(
            r#"(component
                (import "pawl:rotation/log@0.1.0" (instance))
                (component (import "inner" (instance)) (@custom "pawl:manifest" "inner"))
                (core module (@custom "pawl:manifest" "module"))
                (@custom "pawl:manifest" "outer")
                (instance $i)
                (export "pawl:rotation/steps@0.1.0" (instance $i)))"#,
        );
        assert_eq!(
            anatomy.unwrap(),
            Anatomy {
                imports: vec!["pawl:rotation/log@0.1.0".to_owned()],
                exports: vec!["pawl:rotation/steps@0.1.0".to_owned()],
                manifest: Some("outer".to_owned()),
            }
        );
    }

    #[test]
    fn a_manifest_is_one_and_text_and_bounded() {
        let twice = r#"(component (@custom "pawl:manifest" "a") (@custom "pawl:manifest" "a"))"#;
        assert!(read(twice).unwrap_err().contains("more than one manifest"));
        assert!(read(r#"(component (@custom "pawl:manifest" "\ff"))"#).unwrap_err().contains("UTF-8"));
        let long = "x".repeat(limits::MANIFEST_BYTES_MAX + 1);
        let long = read(&format!(r#"(component (@custom "pawl:manifest" "{long}"))"#)).unwrap_err();
        assert!(long.contains("65537 bytes, more than 65536"), "{long}");
    }

    /// A component of `levels` components, each of which makes two of the one before.
    fn doubling(levels: u32, import: &str) -> String {
        let doubled = |level: u32| {
            let before = level - 1;
            format!(
                "(component $c{level} (alias outer 1 $c{before} (component $x)) (instance (instantiate $x)) (instance (instantiate $x)))"
            )
        };
        let all: String = (1..=levels).map(doubled).collect();
        format!(
            "(component {import} (component $c0 (core module $m) (core instance (instantiate $m))) {all} (instance (instantiate $c{levels})))"
        )
    }

    #[test]
    fn instances_are_counted_through_every_way_to_name_a_component() {
        assert!(read(&doubling(7, "")).is_ok());
        for levels in [9, 25, 60] {
            let error = read(&doubling(levels, "")).unwrap_err();
            assert_eq!(error, "makes more than 1000 instances of modules and components");
        }
        let exported: String = (0..9)
            .map(|n| format!("(component $d{n} (component $x {}) (export $y \"y\" (component $x)) (instance (instantiate $y)) (instance (instantiate $x)))", "(instance)".repeat(200)))
            .collect();
        let all: String = (0..9).map(|n| format!("(instance (instantiate $d{n}))")).collect();
        assert!(read(&format!("(component {exported} {all})")).unwrap_err().contains("1000 instances"));
        let given =
            read(r#"(component (component $c (import "c" (component $x)) (instance (instantiate $x))))"#);
        assert!(given.unwrap_err().contains("a component that it is given"));
        let from = r#"(component (component $c (component $e) (export "e" (component $e)))
            (instance $i (instantiate $c)) (alias export $i "e" (component $x)) (instance (instantiate $x)))"#;
        assert!(read(from).unwrap_err().contains("a component that it is given"));
    }

    #[test]
    fn what_is_no_component_or_too_deep_is_told() {
        assert!(read("(module)").unwrap_err().contains("core module"));
        assert!(Anatomy::of(b"hello").unwrap_err().contains("not a valid WebAssembly component"));
        let deep = |levels: usize| format!("{}{}", "(component ".repeat(levels), ")".repeat(levels));
        assert!(read(&deep(10)).is_ok());
        assert!(read(&deep(40)).unwrap_err().contains("16 levels deep"));
        let many: String = (0..300).map(|n| format!("(import \"i{n}\" (instance))")).collect();
        assert!(read(&format!("(component {many})")).unwrap_err().contains("more than 200 imports"));
        // However a component is cut, it is read or refused.
        let whole = wat::parse_str(doubling(5, "")).unwrap();
        for end in 0..whole.len() {
            let _ = Anatomy::of(&whole[..end]);
        }
    }
}
