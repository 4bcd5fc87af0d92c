//! Vertex AI's own message definitions, from its descriptor set.
//!
//! Only the descriptors are read, without linking them into a reflection pool: that takes 2 to 15 ms, which
//! every start of the service would pay, and the walk needs names and types only.

use std::{collections::HashMap, sync::LazyLock};

use prost::Message;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// `google.cloud.aiplatform.v1` with what it imports.
const DESCRIPTORS: &[u8] = include_bytes!("../../data/aiplatform-v1.fds");

/// The definitions, read once.
pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::read);

/// Messages and enums by full name with a leading dot, as fields name them.
pub(super) struct Schema {
    messages: HashMap<String, DescriptorProto>,
    enums: HashMap<String, EnumDescriptorProto>,
}

impl Schema {
    fn read() -> Self {
        let set = FileDescriptorSet::decode(DESCRIPTORS)
            .expect("the embedded descriptor set is read by every test");
        let mut schema = Self { messages: HashMap::new(), enums: HashMap::new() };
        for file in set.file {
            let package = format!(".{}", file.package());
            schema.add(&package, file.message_type, file.enum_type);
        }
        schema
    }

    fn add(&mut self, parent: &str, messages: Vec<DescriptorProto>, enums: Vec<EnumDescriptorProto>) {
        for one in enums {
            self.enums.insert(format!("{parent}.{}", one.name()), one);
        }
        for mut one in messages {
            let name = format!("{parent}.{}", one.name());
            self.add(&name, std::mem::take(&mut one.nested_type), std::mem::take(&mut one.enum_type));
            self.messages.insert(name, one);
        }
    }

    pub(super) fn message(&self, name: &str) -> Option<&DescriptorProto> {
        self.messages.get(name)
    }

    pub(super) fn enumeration(&self, name: &str) -> Option<&EnumDescriptorProto> {
        self.enums.get(name)
    }

    /// The key and value of a map field; `None` for any other field.
    pub(super) fn map_entry(
        &self,
        field: &FieldDescriptorProto,
    ) -> Option<(&FieldDescriptorProto, &FieldDescriptorProto)> {
        let entry = self.message(field.type_name())?;
        let is_map = entry.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
        if !is_map {
            return None;
        }
        Some((
            entry.field.iter().find(|it| it.number() == 1)?,
            entry.field.iter().find(|it| it.number() == 2)?,
        ))
    }
}

/// A field's name in JSON.
pub(super) fn json_name(field: &FieldDescriptorProto) -> String {
    match &field.json_name {
        Some(name) => name.clone(),
        None => camel_case(field.name()),
    }
}

/// `display_name` as JSON spells it.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    for (index, word) in name.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => camel.push(first.to_ascii_uppercase()),
            Some(first) => camel.push(first),
            None => {}
        }
        camel.push_str(letters.as_str());
    }
    camel
}
