// Package exporter reads the energy of this or another machine from what it
// already runs for Prometheus: node_exporter's counters of processors and
// memory, DCGM's of NVIDIA cards, Kepler's of either.
//
// Policy: only counters of energy of the whole machine are read, those that
// their exporter documents. A counter that several exporters of one host show
// is counted once. A counter's wrap cannot be told from a reset, since no
// exporter gives the range: where one falls, the energy between the two
// scrapes is not known. What an exporter models instead of measuring is called
// estimated. An exporter is somebody else's program: what it answers is
// bounded, and believed only where it can be true.
package exporter

// Method is the name of this source of energy.
const Method = "exporter"
