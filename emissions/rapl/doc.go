// Package rapl meters processors and memory by the energy counters that Linux
// shows under powercap in sysfs: Intel's running average power limit and
// AMD's equivalent.
//
// Policy: a zone is known by its socket, die and domain, never by its place
// in the tree. Packages of all sockets and their memory are summed; cores and
// uncore are parts of a package and psys contains it, so they are shown and
// not summed; a second view of the same domain (MMIO beside MSR, a mirrored
// die) is not summed either. Counters are whole microjoules. A wrap is
// counted, a failed read is a gap and never a zero, and what cannot be told
// is left out and named.
package rapl
