package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/metrics"
)

// derive fills in the model's energy and what follows from it.
func (r *Report) derive(m *Model, rec eval.RunRecord) {
	if m.Reused != nil && !m.Reused.Whole {
		m.Energy = Energy{Quality: emissions.Unavailable, Reason: m.Reused.String()}
		return
	}
	reading, asked := answerReading(rec, m.Model.Name)
	if !asked {
		m.Energy = Energy{Quality: emissions.Unavailable, Reason: "nothing was asked"}
		return
	}
	e := Energy{Quality: reading.Quality, Method: reading.Method, Reason: reading.Reason,
		Zones: reading.Zones, Gaps: reading.Gaps, Warnings: reading.Warnings}
	if reading.Quality == emissions.Measured && m.UnmeteredS > 0 {
		e.Quality, e.Reason = emissions.Partial, unmetered(*m)
	}
	if reading.Quality != emissions.Unavailable {
		wh := reading.Energy.WattHours()
		e.Wh, e.LowWh, e.HighWh = &wh, watthours(reading.Low), watthours(reading.High)
		replies, correct := float64(m.Replies), emCorrect(*m)
		e.WhPer1000 = ratio(1000*wh, &replies)
		e.MeasuredWh, e.MeasuredShare = watthours(reading.MeasuredPart()), reading.MeasuredShare()
		e.MeasuredWhPer1000 = ratio(1000**e.MeasuredWh, &replies)
		e.WhPerCorrect, e.JPerCorrect = ratio(wh, &correct), ratio(reading.Energy.Joules(), &correct)
		e.JPerToken = ratio(reading.Energy.Joules(), number(m.Tokens.CompletionTokens))
		if m.DurationS != nil {
			metered := *m.DurationS - m.UnmeteredS
			e.MeanW = ratio(reading.Energy.Joules(), &metered)
		}
		if reading.AboveIdle != nil {
			e.AboveIdleWh = watthours(*reading.AboveIdle)
		}
		if e.ServerShare = reading.ServerShare; e.ServerShare != nil {
			v := wh * *e.ServerShare
			e.ServerWh = &v
		}
		if r.Factor != nil {
			kg := emissions.KgCO2e(reading.Energy, r.PUE, *r.Factor)
			m.EmissionsKg, m.GPer1000 = &kg, ratio(1e6*kg, &replies)
		}
	}
	m.Energy = e
}

// unmetered says which part of the answering has no energy.
func unmetered(m Model) string {
	return fmt.Sprintf("%s of its %s s of answering came after the last reading that was stored before a kill, and are not in the energy",
		Seconds(&m.UnmeteredS), Seconds(m.DurationS))
}

func watthours(e emissions.Energy) *float64 {
	v := e.WattHours()
	return &v
}

// emCorrect is the number of replies with em 1.
func emCorrect(m Model) float64 {
	em := m.Metric(metrics.EM)
	return em.Mean * float64(em.N)
}

// answerReading adds up the readings of a model's answer phases, on every host.
func answerReading(rec eval.RunRecord, model string) (sum emissions.Reading, asked bool) {
	byHost := answerReadings(rec.Phases, model)
	if reading, own := byHost[""]; own && len(byHost) == 1 {
		return reading, true
	}
	return emissions.OfHosts(byHost), len(byHost) > 0
}

// answerReadings adds up the readings of a model's answer phases by host.
func answerReadings(phases []eval.Phase, model string) map[string]emissions.Reading {
	byHost := make(map[string]emissions.Reading)
	for _, p := range phases {
		if p.Model != model || p.Name != eval.PhaseAnswer {
			continue
		}
		if sum, ok := byHost[p.Host]; ok {
			byHost[p.Host] = sum.Then(p.Reading)
		} else {
			byHost[p.Host] = p.Reading
		}
	}
	return byHost
}

// spentEnergy is one reply's energy and when it was spent.
type spentEnergy struct {
	start, end int64 // Unix time, ns
	energy     emissions.Energy
}

// overTime sums the replies' energy up in the order of their ends, in at most
// 200 points.
func overTime(spent []spentEnergy) []EnergyPoint {
	if len(spent) == 0 {
		return nil
	}
	slices.SortFunc(spent, func(a, b spentEnergy) int { return cmp.Compare(a.end, b.end) })
	first := slices.MinFunc(spent, func(a, b spentEnergy) int { return cmp.Compare(a.start, b.start) }).start
	const most = 200
	every := (len(spent) + most - 1) / most
	var sum emissions.Energy
	var out []EnergyPoint
	for i, s := range spent {
		sum += s.energy
		if (i+1)%every == 0 || i == len(spent)-1 {
			out = append(out, EnergyPoint{Seconds: time.Duration(s.end - first).Seconds(), Wh: sum.WattHours()})
		}
	}
	return out
}
