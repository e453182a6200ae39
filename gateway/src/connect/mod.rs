//! Connections to children: compiled in, processes, remote; each in the era the child speaks.

mod dialect;
mod identity;
