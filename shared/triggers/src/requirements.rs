//! What a matching trigger asks for: signers, sources, repository, age.
