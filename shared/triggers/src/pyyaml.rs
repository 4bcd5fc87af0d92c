//! Plain YAML scalars as PyYAML resolves them: the reading KFP's own tool meant.
