//! Which triggers match an artifact of an event: patterns over vouched facts, and CEL `when`.
