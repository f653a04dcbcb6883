package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// said is what each phrase says, line by line.
func said() map[string][]string {
	return map[string][]string{
		"start_distributed": {
			`with the same cookie: [d@h e@h]`,
			`with another one: cookie: that of f@h is not that of d@h: set the same auth.cookie on both`,
		},
		"connect_nodes": {
			`b has links to [a@h c@h]`,
			`c has links to [a@h b@h]`,
		},
		"list_nodes":     {`a has links to [b@h c@h]; in the cluster are [a@h b@h c@h]`},
		"connect_hidden": {`a has links to [b@h c@h], hidden ones to [probe@h]; alive are [a@h b@h c@h]`},
		"node_info": {
			`d@h can be dialed at 1 address, knows [d@h], has links to []`,
			`stopped, it is not alive: true`,
		},
		"disconnect_node": {
			`b@h sees node up c@h`,
			`b@h sees node down c@h`,
			`alive are [a@h b@h c@h]`,
		},
		"monitor_nodes": {
			`a@h sees node up c@h`,
			`a@h sees node down c@h`,
			`a@h sees node up c@h`,
		},
		"send_remote": {`b got "hello" from a@h`},
		"spawn_on_remote": {
			`the process ended with "b@h: work done on b@h: 42"`,
			`c may not start it: true`,
		},
		"remote_call": {
			`12 squared is 144`,
			`asked again after its end: noproc`,
		},
		"dispatch":               {`ten pieces of work make 90`},
		"remote_process_with_io": {`a reads "Output from b@h"`},
		"register_global": {
			`c finds the leader on b@h`,
			`there is no second leader: true`,
		},
		"send_global": {
			`the server got "hello"`,
			`nobody: not found`,
		},
		"register_with_resolve": {`after the cut the leader of c loses to that of b@h`},
		"sync_global":           {`a, b and c know 3, 3 and 3 names`},
		"list_global_names": {
			`c knows [leader]`,
			`after its end []`,
		},
		"ensure_global_registration": {
			`all find the same scheduler: true`,
			`it ends with its process`,
		},
		"start_worker": {
			`the worker runs on c@h`,
			`it was killed, and runs on c@h again`,
			`its node is gone, and it runs on b@h`,
		},
		"join": {
			`a sees a member on c@h`,
			`it left the group with its end: 0 members`,
		},
		"broadcast": {`sent to 3; heard: attention, attention, attention`},
		"simple_rpc": {
			`hello, said on b`,
			`hello again, said on b`,
		},
		"timed_rpc":            {`done in time; timed out: true, and the work was interrupted: true`},
		"async_rpc":            {`yielded: done`},
		"parallel_rpc":         {`3 answers, nothing of [whoami@nobody@h]`},
		"parallel_rpc_results": {`2 answers in time, nothing of [whoami@c@h]`},
		"cast_rpc":             {`c noted milk`},
		"broadcast_rpc": {
			`3 answers, 0 failures`,
			`and each was cast to: true true true`,
		},
		"pmap_nodes": {`mapped to [cba fed ihg lkj]`},
		"detect_partition": {
			`missing []`,
			`missing [c@h], majority here: true`,
			`there missing [a@h b@h], majority there: false`,
		},
		"monitor_cluster": {
			`missing []`,
			`missing [c@h]`,
			`missing []`,
			`healed`,
		},
		"propose": {
			`150: majority`,
			`250: no majority`,
		},
		"vote": {`timed out: true; for it [a@h], against [b@h], silent [c@h]`},
	}
}

// Each phrase is said among nodes of its own, so that one can be run alone:
//
//	go test ./examples/erlang -run TestPhrases/monitor_nodes
func TestPhrases(t *testing.T) {
	t.Parallel()
	want := said()
	for _, chapter := range book() {
		for _, p := range chapter.phrases {
			t.Run(p.theirs, func(t *testing.T) {
				t.Parallel()
				var out bytes.Buffer
				if err := p.among(&out); err != nil {
					t.Fatal(err)
				}
				var lines []string
				for line := range strings.Lines(out.String()) {
					lines = append(lines, strings.TrimSpace(line))
				}
				if !slices.Equal(lines, want[p.theirs]) {
					t.Errorf("it says\n%s\nand not\n%s", strings.Join(lines, "\n"), strings.Join(want[p.theirs], "\n"))
				}
			})
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(&out, []string{"list_nodes"}); err != nil || !strings.HasPrefix(out.String(), "Nodes: list_nodes\n  a has links") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := run(&out, []string{"list_node"}); err == nil || !strings.Contains(err.Error(), "list_nodes") {
		t.Errorf("a phrase that there is not: %v", err)
	}
}
