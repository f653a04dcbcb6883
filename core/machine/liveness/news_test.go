package liveness

import (
	"testing"
	"time"

	"github.com/barrelp2p/barrel/core/machine/overlay"
)

func proven(p overlay.Peer) Entry {
	return Entry{Peer: p, State: Alive, Inc: 1, Proof: &Proof{}}
}

// told counts what was said of one kind to each of the others, while time passes.
func (b *bench) told(d time.Duration) map[overlay.Peer]map[Kind]int {
	told := map[overlay.Peer]map[Kind]int{}
	b.look = func() {
		for _, s := range b.out.Sends {
			if told[s.To] == nil {
				told[s.To] = map[Kind]int{}
			}
			told[s.To][s.Msg.Kind]++
		}
	}
	b.wait(d, others()...)
	b.look = nil
	return told
}

// quiet is a bench whose links are old, and whose comparisons have become rare.
func quiet(t *testing.T) *bench {
	b := newBench(t, 3, nil)
	b.wait(time.Minute, others()...)
	return b
}

// What one neighbour teaches the others are told, once; comparisons come often again.
func TestNewsArePassedOn(t *testing.T) {
	b := quiet(t)
	b.hear(2, Message{Kind: Records, Entries: []Entry{proven(21)}})
	told := b.told(900 * time.Millisecond)
	if told[2][Table] != 0 || told[3][Table] != 1 || told[4][Table] != 1 {
		t.Errorf("tables told to 2, 3, 4: %v", told)
	}
	b.hear(3, Message{Kind: Records, Entries: []Entry{proven(21)}})
	if told := b.told(900 * time.Millisecond); told[2][Table]+told[4][Table] != 0 {
		t.Errorf("the same told again: %v", told)
	}
}

// Many members at once are compared, not told one by one.
func TestManyNewsAreCompared(t *testing.T) {
	b := quiet(t)
	var many []Entry
	for p := range overlay.Peer(fewNews + 5) {
		many = append(many, proven(21+p))
	}
	b.hear(2, Message{Kind: Records, Entries: many})
	told := b.told(300 * time.Millisecond)
	if told[2][Table]+told[3][Table]+told[4][Table] != 0 || told[3][Compare] == 0 || told[4][Compare] == 0 {
		t.Errorf("told %v, want comparisons with 3 and 4", told)
	}
}

// Where there are many links, news go over some of them at a time, and in the end over all.
func TestNewsArePassedOnOverAFewLinksAtATime(t *testing.T) {
	b := quiet(t)
	const links = 40
	for p := overlay.Peer(100); p < 100+links; p++ {
		b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: p, Inc: 1})
	}
	b.wait(10*time.Second, others()...)
	b.hear(2, Message{Kind: Records, Entries: []Entry{proven(21)}})
	reached := 0
	for range 10 {
		told := 0
		for _, kinds := range b.told(100 * time.Millisecond) {
			told += kinds[Table]
		}
		reached += told
		if told > newsLinks {
			t.Errorf("told %d neighbours at once, want %d at most", told, newsLinks)
		}
	}
	if reached != links+2 {
		t.Errorf("told %d neighbours in 1 s, want each of the %d others once", reached, links+2)
	}
}

// A broadcast passes itself on, except where the link is new.
func TestABroadcastIsPassedOnOverNewLinks(t *testing.T) {
	b := quiet(t)
	b.step(overlay.Input[Message]{Kind: overlay.InLinkUp, Peer: 9, Inc: 1})
	b.hear(overlay.Nobody, Message{Kind: Announce, Entries: []Entry{proven(21)}})
	told := b.told(time.Second)
	if told[9][Table] != 1 || told[2][Table]+told[3][Table]+told[4][Table] != 0 {
		t.Errorf("tables told: %v, want one to 9", told)
	}
}

// Comparisons are frequent at first and rare when they bring nothing.
func TestComparisonsBecomeRare(t *testing.T) {
	b := newBench(t, 3, nil)
	compared := func(d time.Duration) (n int) {
		for _, kinds := range b.told(d) {
			n += kinds[Compare]
		}
		return n
	}
	if n := compared(10 * time.Second); n < 10 {
		t.Errorf("%d comparisons in the first 10 s, want one a second", n)
	}
	compared(30 * time.Second)
	if n := compared(100 * time.Second); n < 8 || n > 14 {
		t.Errorf("%d comparisons in 100 quiet seconds, want about 10", n)
	}
	b.hear(2, Message{Kind: Records, Entries: []Entry{proven(21)}})
	if n := compared(4 * time.Second); n < moreRounds {
		t.Errorf("%d comparisons in 4 s after news, want %d", n, moreRounds)
	}
}

// A difference is answered with the table and the sums, and the sums with the table only.
func TestBothEndsLearnFromAComparison(t *testing.T) {
	b := quiet(t)
	b.hear(2, Message{Kind: Compare, Sums: make([]uint64, buckets)})
	if b.said(Table) != 1 || b.said(Differ) != 1 {
		t.Errorf("COMPARE: %d tables, %d sums", b.said(Table), b.said(Differ))
	}
	b.hear(3, Message{Kind: Differ, Sums: make([]uint64, buckets)})
	if b.said(Table) != 1 || b.said(Differ) != 0 {
		t.Errorf("DIFFER: %d tables, %d sums", b.said(Table), b.said(Differ))
	}
}

// prove has neighbour 2 prove members in a row.
func (b *bench) prove(first, count overlay.Peer) {
	b.t.Helper()
	for p := first; p < first+count; p++ {
		b.hear(2, Message{Kind: Records, Entries: []Entry{proven(p)}})
	}
}

// What is learned while a neighbour may not be sent the table again follows when it may;
// without anything learned nothing does.
func TestATableThatWasHeldBackFollows(t *testing.T) {
	b := quiet(t)
	differ := Message{Kind: Differ, Sums: make([]uint64, buckets)}
	b.prove(100, 1000)
	b.hear(3, differ)
	if b.said(Table) == 0 {
		t.Fatal("no table")
	}
	b.hear(3, differ)
	if l := b.m.link(3); b.said(Table) != 0 || l.again != overlay.Never {
		t.Fatal("the same table again")
	}
	b.now += 300 * millisecond
	b.prove(2000, 10)
	b.m.compareAt = overlay.Never // not by chance
	for range 32 {
		told := b.told(100 * time.Millisecond)[3]
		if told[Compare] == 0 {
			continue
		}
		if b.hear(3, differ); b.said(Table) > 0 {
			return
		}
	}
	t.Error("the neighbour was not told within 3.5 s")
}

// Members whom the host does not know are asked for by what they are called on the
// wire, of one neighbour at a time, and no more than a neighbour can send.
func TestRecordsAreAskedOfOneNeighbour(t *testing.T) {
	b := quiet(t)
	table := Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}, {Peer: 21, State: Alive, Inc: 1}}}
	b.hear(2, table)
	if b.said(Want) != 1 || len(b.out.Sends[0].Msg.Entries) != 2 || b.out.Sends[0].Msg.Entries[0].ID != 77 {
		t.Fatalf("sent %+v", b.out.Sends)
	}
	b.hear(3, table)
	if b.said(Want) != 0 {
		t.Error("asked another neighbour for the same")
	}
	asked := 0
	for i := range uint64(4 * maxWanted) {
		b.hear(4, Message{Kind: Table, Entries: []Entry{{ID: 1000 + i, State: Alive, Inc: 1}}})
		asked += b.said(Want)
	}
	if asked != maxWanted {
		t.Errorf("asked one neighbour for %d records, want %d", asked, maxWanted)
	}
	b.m.compareAt = overlay.Never // not by chance
	if told := b.told(1100 * time.Millisecond); told[2][Compare] != 0 || told[4][Compare] != 1 {
		t.Errorf("told %v, want a comparison with 4, which has more", told)
	}
	b.hear(3, table)
	if b.said(Want) != 1 {
		t.Error("did not ask again for what never came")
	}
}

// ignorant is a host that knows nobody.
type ignorant struct{ numbers }

func (ignorant) Peer(uint64) overlay.Peer { return overlay.Nobody }

// Who is told of one whom it does not know can say whom it means.
func TestStrangersKeepTheirNumber(t *testing.T) {
	said := Message{Kind: Table, Entries: []Entry{{Peer: 9, State: Alive, Inc: 2}}}
	heard, err := Decode(Append(nil, &said, numbers{}), ignorant{})
	if err != nil || heard.Entries[0].ID != 9 {
		t.Fatalf("heard %+v, %v", heard, err)
	}
	back, err := Decode(Append(nil, &Message{Kind: Want, Entries: heard.Entries}, ignorant{}), numbers{})
	if err != nil || back.Entries[0].Peer != 9 {
		t.Errorf("asked for %+v, %v", back, err)
	}
}

// hogged has neighbour 2 name members first, each second, which it does not prove; 3 names the same and
// would. It counts the seconds in which 3 was asked.
func (b *bench) hogged(seconds int, table Message) (asked int) {
	for range seconds {
		b.wait(time.Second, others()...)
		b.hear(2, table)
		b.hear(3, table)
		for _, s := range b.out.Sends {
			if s.To == 3 && s.Msg.Kind == Want {
				asked++
			}
		}
	}
	return asked
}

// Who names members and does not prove them keeps others from being asked for a second a minute at
// most, and who was not asked for that reason is compared with.
func TestWhoDoesNotAnswerBlocksNobody(t *testing.T) {
	b := quiet(t)
	table := Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}}}
	if asked := b.hogged(2, table); asked == 0 {
		t.Error("3 was not asked within two seconds")
	}
	const minutes = 10
	if asked := b.hogged(minutes*60, table); asked < minutes*59 {
		t.Errorf("3 was asked in %d of %d seconds", asked, minutes*60)
	}
	b.wait(2*time.Minute, others()...)
	b.hear(2, table)
	b.hear(3, table)
	b.m.compareAt = overlay.Never // not by chance
	if told := b.told(1100 * time.Millisecond); told[3][Compare] != 1 {
		t.Errorf("told %v, want a comparison with 3", told)
	}
}

// Who proves what it names is not taken for one that does not.
func TestWhoAnswersIsNotDeaf(t *testing.T) {
	b := quiet(t)
	for p := overlay.Peer(100); p < 120; p++ {
		b.hear(2, Message{Kind: Table, Entries: []Entry{{Peer: p, State: Alive, Inc: 1}}})
		later := proven(p)
		later.Ref = 3 // it has spoken meanwhile
		b.hear(2, Message{Kind: Records, Entries: []Entry{later}})
		b.wait(time.Second, others()...)
	}
	b.hear(2, Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}}})
	b.hear(3, Message{Kind: Table, Entries: []Entry{{ID: 77, State: Alive, Inc: 1}}})
	if b.said(Want) != 0 {
		t.Error("3 was asked as well, though 2 has always answered")
	}
}

// Members that trust refuses are known to others: they are asked for once a minute, not with each
// comparison, and believed soon after trust accepts them.
func TestWhoIsRefusedIsNotAskedForAgain(t *testing.T) {
	b := quiet(t)
	var table []Entry
	for id := range uint64(200) {
		table = append(table, Entry{ID: 1000 + id, State: Alive, Inc: 1})
	}
	asked := map[uint64]int{}
	for range 60 {
		b.hear(2, Message{Kind: Table, Entries: table})
		for _, s := range b.out.Sends {
			if s.Msg.Kind != Want {
				continue
			}
			for _, e := range s.Msg.Entries {
				asked[e.ID]++
				b.hear(2, Message{Kind: Records, Entries: []Entry{{ID: e.ID, Refused: true, State: Alive, Inc: 1}}})
			}
		}
		b.wait(time.Second-100*time.Millisecond, others()...)
	}
	for _, e := range table {
		if asked[e.ID] != 1 {
			t.Fatalf("%d was asked for %d times in a minute", e.ID, asked[e.ID])
		}
	}
	b.wait(10*time.Second, others()...)
	b.hear(2, Message{Kind: Table, Entries: table})
	if b.said(Want) != 1 || len(b.out.Sends[0].Msg.Entries) != len(table) {
		t.Errorf("said %d WANTs a minute later, want one for all", b.said(Want))
	}
	for id := range uint64(2 * maxSpurned) {
		b.hear(2, Message{Kind: Records, Entries: []Entry{{ID: 1e6 + id, Refused: true, State: Alive, Inc: 1}}})
	}
	if n := len(b.m.spurned.until); n > maxSpurned {
		t.Errorf("%d refused members are remembered", n)
	}
}
