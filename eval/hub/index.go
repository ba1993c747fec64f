package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// indexOf is the file that says which shard of a model holds which tensor. Ours
// and Ollama's reader go by the shards themselves; Hugging Face's libraries go
// by this file.
func indexOf(shard string) string {
	m := shardPattern.FindStringSubmatch(shard)
	if m == nil {
		return ""
	}
	return m[1] + "." + m[4] + ".index.json"
}

func isIndex(name string) bool { return strings.HasSuffix(name, ".index.json") }

// held is what the shards of a model really hold.
type held struct {
	file  map[string]string // of each tensor
	bytes int64             // of all tensors
	names map[string]bool   // of the shards
}

// checkIndex holds an index to the shards. Nothing is said of the position
// tables of old checkpoints, which nobody reads.
func checkIndex(file File, is held) (found []Finding) {
	tell := func(level Level, where, what, mend string) {
		found = append(found, Finding{"files", level, where, what, mend})
	}
	const anew = "write the index anew, by saving the model again, or get the rest of its files"
	text, err := readSettings(file.Path)
	var index struct {
		Metadata struct {
			TotalSize *float64 `json:"total_size"`
		} `json:"metadata"`
		Shards map[string]string `json:"weight_map"`
	}
	if err == nil {
		err = json.Unmarshal(text, &index)
	}
	if err != nil || index.Shards == nil {
		tell(Fault, file.Name, "it is no index of shards: Hugging Face's libraries do not load the model", anew)
		return found
	}
	var gone, lost, moved, unnamed []string
	for name, shard := range index.Shards {
		switch holder, there := is.file[name]; {
		case !is.names[shard]:
			gone = append(gone, shard)
		case isRotary(name):
		case !there:
			lost = append(lost, name)
		case holder != shard:
			moved = append(moved, name)
		}
	}
	for name := range is.file {
		if _, named := index.Shards[name]; !named && !isRotary(name) {
			unnamed = append(unnamed, name)
		}
	}
	for _, wrong := range []struct {
		names []string
		what  string
	}{
		{gone, "%s names %d shards that are not there, this first"},
		{lost, "%s names %d tensors that no shard has, this first"},
		{moved, "%s names %d tensors in another shard than the one that holds them, this first"},
		{unnamed, "%s leaves out %d tensors, which Hugging Face's libraries then do not load, this first"},
	} {
		if names := slices.Compact(slices.Sorted(slices.Values(wrong.names))); len(names) > 0 {
			tell(Fault, fmt.Sprintf("%.120q", names[0]), fmt.Sprintf(wrong.what, file.Name, len(names)), anew)
		}
	}
	if total := index.Metadata.TotalSize; total != nil && is.bytes > 0 && *total != float64(is.bytes) {
		tell(Remark, file.Name, fmt.Sprintf("metadata.total_size is %.0f, the tensors take %d bytes", *total, is.bytes),
			"nothing, if the model was converted to another type afterwards; else compare the shards with their source")
	}
	return found
}

// shardsHeld sums up the headers of a model's files of safetensors.
func shardsHeld(headers map[string]header) held {
	is := held{file: make(map[string]string), names: make(map[string]bool)}
	for _, shard := range slices.Sorted(maps.Keys(headers)) {
		is.names[shard] = true
		for name, e := range headers[shard].tensors {
			is.file[name] = shard
			if strings.HasSuffix(shard, ".safetensors") { // a checkpoint's share their numbers
				is.bytes += e.Offsets[1] - e.Offsets[0]
			}
		}
	}
	return is
}
