//! JSON that is written from its beginning to its end, without a tree in between.

/// An object under construction.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &'static str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        write_text(self.out, text);
    }

    pub(super) fn maybe(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// What is JSON already.
    pub(super) fn raw(&mut self, name: &'static str, json: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(json);
    }

    pub(super) fn flag(&mut self, name: &'static str, flag: bool) {
        self.raw(name, if flag { b"true" } else { b"false" });
    }

    pub(super) fn object(&mut self, name: &'static str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut object = Object::begin(self.out);
        write(&mut object);
        object.end();
    }
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // A text can always be written to memory.
    let _ = serde_json::to_writer(out, text);
}
