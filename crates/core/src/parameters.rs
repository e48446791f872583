//! Names of parameters: the path of field names from a module down to each of its tensors.

/// Follows the walk of a Burn visitor or mapper and tells the path of the parameter it stands at, such as `blocks.0.norm.weight`.
///
/// Variants of enums are left out of paths: which one a module is says nothing about what its parameters are.
#[derive(Clone, Debug, Default)]
pub struct ParameterPath {
    segments: Vec<String>,
}

impl ParameterPath {
    /// To be called from `enter_module` with the same arguments.
    pub fn enter(&mut self, name: &str, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.segments.push(name.to_owned());
        }
    }

    /// To be called from `exit_module` with the same arguments.
    pub fn exit(&mut self, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.segments.pop();
        }
    }

    /// The path of the parameter that is visited now.
    pub fn current(&self) -> String {
        self.segments.join(".")
    }
}
