package queries

import (
	"strings"
	"sync"
)

// commonWords stand in most replies whatever was asked, so that finding one
// there means nothing.
var commonWords = sync.OnceValue(func() map[string]bool {
	words := make(map[string]bool)
	for w := range strings.FieldsSeq(`a about above across after again against all almost along already also although always am among an and another any anything
	are around as at away back bad based be because become becomes been before began begin below better between big both but by
	call called came can case change come comes common could day days did different do does done down during each either else
	end enough especially etc even every everyone everything example fact far few find first for form found from full general
	generally get give given go good great group had hand hard has have he help her here high him his home how however human i
	if important in include includes including into is it its just keep kind know large last later least left less let level
	life like little live long longer look lot made main make man many may me mean means might modern more most much must my
	myself name near need neither never new next no non none nor not nothing now number of off often old on once one only open
	or order other others ought our out over own part people per perhaps place point possible present put quite rather real
	really right said same say second see seem set several shall she should show side simply since small so some something
	sometimes state still such take taken tell term than that the their them themselves then there therefore these they thing
	think third this those through thus time to together too took true try turn two type under until up upon us use usually very
	want was way we well were what when where whether which while who whole whose why will with within without woman word words
	work world would year years yes yet you your`) {
		words[w] = true
	}
	return words
})
