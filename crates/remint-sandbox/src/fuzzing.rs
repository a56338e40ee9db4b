//! The readers of foreign bytes that only this crate uses, for the targets in `fuzz/`; there in no other build.

use std::net::IpAddr;

use crate::wire::{Orders, Report};

/// What comes out of a sandbox, and what goes in.
pub fn wire(bytes: &[u8]) {
    drop(Report::decode(bytes));
    drop(Orders::read(&mut &*bytes));
}

/// A packet that a build sends.
pub fn packet(destination: IpAddr, payload: &[u8]) {
    crate::helper::check_packet(destination, payload);
}
