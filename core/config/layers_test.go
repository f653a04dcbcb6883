package config

import (
	"reflect"
	"testing"
	"time"

	"github.com/barrelp2p/barrel/interfaces/name"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

func TestNothingGivenIsAllDefaults(t *testing.T) {
	c, err := Load(Sources{}, testSlots())
	if err != nil {
		t.Fatal(err)
	}
	if !c.Node.Name.IsZero() || c.Node.Cluster != "default" || c.Node.DataDir != "data" || c.Node.LeaveTimeout != 5*time.Second {
		t.Errorf("node: %+v", c.Node)
	}
	if !c.Auth.Enabled || c.Auth.HandshakeTimeout != 10*time.Second || c.Auth.ClockSkew != 30*time.Second {
		t.Errorf("auth: %+v", c.Auth)
	}
	if c.Bootstrap.Retry != 5*time.Second || c.Links.IdleAfter != 5*time.Minute || c.Links.Sweep != time.Minute {
		t.Errorf("bootstrap %+v, links %+v", c.Bootstrap, c.Links)
	}
	if got := c.Use(plugin.Discovery); !reflect.DeepEqual(got, []string{"static", "file", "dns"}) {
		t.Errorf("discovery.use: %q", got)
	}
	if s, ok := c.Settings(plugin.Transport, "quic").(*quicSettings); !ok || s.CertDays != 365 {
		t.Errorf("transport.quic: %#v", c.Settings(plugin.Transport, "quic"))
	}
	if s := c.Settings(plugin.Trust, "strict"); s != nil {
		t.Errorf("trust.strict is neither in use nor written down, got %#v", s)
	}
	if got := c.Socket(); got != "data/run/admin.sock" {
		t.Errorf("socket %q", got)
	}
}

func TestLaterLayersWin(t *testing.T) {
	file := "node: {cluster: file, data_dir: file}\nlinks: {sweep: 2m}\n"
	env := []string{"BARREL_NODE__CLUSTER=env", "BARREL_LINKS__SWEEP=3m", "PATH=/bin"}
	sets := []string{"links.sweep=4m", "node.data_dir=set"}
	c := mustLoad(t, Sources{Environ: env, Sets: sets, DataDir: "flag", Name: "a@10.0.0.1"}, "node.yaml", file)
	if c.Node.Cluster != "env" || c.Node.DataDir != "flag" || c.Links.Sweep != 4*time.Minute || c.Node.Name.String() != "a@10.0.0.1" {
		t.Errorf("node %+v, links %+v", c.Node, c.Links)
	}
	want := map[string]string{
		"node.name": "flag --name", "node.cluster": "environment BARREL_NODE__CLUSTER", "node.data_dir": "flag --data-dir",
		"links.sweep": "flag --set links.sweep", "links.idle_after": "default",
	}
	for _, row := range c.Show(true) {
		if origin, ok := want[row.Key]; ok && row.Origin != origin {
			t.Errorf("%s comes from %q, want %q", row.Key, row.Origin, origin)
		}
	}
}

// koanf lets a later layer's empty section wipe an earlier one.
func TestEmptySectionIsNothing(t *testing.T) {
	for _, text := range []string{
		"transport:\nauth:\nlinks: {}\ndiscovery:\n  static:\n  dns: {}\nnode:\n  cluster:\n",
		"{}", "", "# nothing\n", "---\n", "null\n", "\ufeff", "auth: ~\r\n",
	} {
		c := mustLoad(t, Sources{Environ: []string{"BARREL_DISCOVERY={dns: {}, static: null}", "BARREL_AUTH="}}, "node.yaml", text)
		if c.Node.Cluster != "default" || !c.Auth.Enabled || c.Links.Sweep != time.Minute {
			t.Errorf("%q: %+v %+v %+v", text, c.Node, c.Auth, c.Links)
		}
		if s, ok := c.Settings(plugin.Discovery, "dns").(*dnsSettings); !ok || s.Port != 9100 {
			t.Errorf("%q: discovery.dns %#v", text, s)
		}
	}
}

func TestMapsMergeAndListsAreReplaced(t *testing.T) {
	file := `
bootstrap: {contact_nodes: [a@10.0.0.1, b@10.0.0.2]}
discovery:
  static:
    nodes:
      a@10.0.0.1: ["10.0.0.1:9100"]
      b@10.0.0.2: ["10.0.0.2:9100"]
`
	src := Sources{
		Environ: []string{`BARREL_DISCOVERY__STATIC__NODES={b@10.0.0.2: ["10.0.0.9:9100"]}`},
		Sets:    []string{`discovery.static.nodes."c@10.0.0.3"=10.0.0.3:1, [fd00::1]:2`, `discovery.static.nodes.d@[fd00::4]=10.0.0.4:1`},
		Join:    []string{"x@10.0.0.7", "y@10.0.0.8"},
	}
	c := mustLoad(t, src, "node.yaml", file)
	got := c.Settings(plugin.Discovery, "static").(*staticSettings).Nodes
	want := map[name.Node][]name.Address{
		name.MustNode("a@10.0.0.1"):  {name.MustAddress("10.0.0.1:9100")},
		name.MustNode("b@10.0.0.2"):  {name.MustAddress("10.0.0.9:9100")},
		name.MustNode("c@10.0.0.3"):  {name.MustAddress("10.0.0.3:1"), name.MustAddress("[fd00::1]:2")},
		name.MustNode("d@[fd00::4]"): {name.MustAddress("10.0.0.4:1")},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("nodes\n got %v\nwant %v", got, want)
	}
	contacts := []name.Node{name.MustNode("x@10.0.0.7"), name.MustNode("y@10.0.0.8")}
	if !reflect.DeepEqual(c.Bootstrap.ContactNodes, contacts) {
		t.Errorf("contact_nodes %v", c.Bootstrap.ContactNodes)
	}
}

func TestJoinNextToASetOfTheSameList(t *testing.T) {
	for _, set := range []string{"bootstrap.contact_nodes=a@10.0.0.1", "bootstrap={contact_nodes: [a@10.0.0.1]}"} {
		_, err := load(Sources{Sets: []string{set}, Join: []string{"b@10.0.0.2"}}, parsed("node.yaml", ""), testSlots())
		want := `flag --join: bootstrap.contact_nodes: is set by --set too; keep one of the two; --join may be repeated`
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", set, err, want)
		}
	}
	mustLoad(t, Sources{Sets: []string{"bootstrap.retry=9s"}, Join: []string{"b@10.0.0.2"}}, "node.yaml", "")
}

// A problem with an item points to the layer that the list came from in the end.
func TestPlaceOfAReplacedList(t *testing.T) {
	file := "bootstrap:\n  contact_nodes:\n    - good@10.0.0.1\n    - alsogood@10.0.0.1\n"
	_, err := load(Sources{Environ: []string{"BARREL_BOOTSTRAP__CONTACT_NODES=a@x,b"}}, parsed("node.yaml", file), testSlots())
	want := `environment BARREL_BOOTSTRAP__CONTACT_NODES: bootstrap.contact_nodes[1]: node "b": no @; write name@host`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestListenGoesToTheTransportInUse(t *testing.T) {
	c := mustLoad(t, Sources{Listen: "127.0.0.1:9100"}, "node.yaml", "")
	if s := c.Settings(plugin.Transport, "quic").(*quicSettings); s.Listen != "127.0.0.1:9100" {
		t.Errorf("listen %q", s.Listen)
	}
	_, err := load(Sources{Listen: ":1", Sets: []string{"transport.use=memory"}}, parsed("node.yaml", ""), testSlots())
	want := `flag --listen: transport.memory: the transport "memory" has no setting "listen"; leave out --listen`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

func TestEnvironmentNames(t *testing.T) {
	cases := []struct{ entry, want string }{
		{"BARREL_SOCKET=/run/x.sock", ""},
		{"BARREL_PORT=tcp://10.0.0.1:80", ""},
		{"BARREL_NODE_SERVICE_HOST=10.0.0.1", ""},
		{"BARREL_TRANSPORT__QUIC__CERT_DAYS=30", ""},
		{"BARREL_DISCOVERY__USE=static,dns", ""},
		{"BARREL_DISCOVERY__USE=[static, dns]", ""},
		{"BARREL_AUTH__ENABLED=false", ""},
		{"BARREL_AUTH={enabled: false}", ""},
		{"BARREL_TRANSPORT_QUIC_LISTEN=:1", `environment BARREL_TRANSPORT_QUIC_LISTEN: one underscore does not part levels; did you mean "BARREL_TRANSPORT__QUIC__LISTEN"?`},
		{"BARREL_NODE____NAME=a@b", `environment BARREL_NODE____NAME: an empty level in the name; write two underscores between levels, as BARREL_NODE__NAME`},
		{"BARREL_DISCOVERY=static", `environment BARREL_DISCOVERY: discovery: wants a section, got text; write {key: value}, or set one of its keys: use, static, file, dns`},
		{"BARREL_DISCOVERY={use: static", `environment BARREL_DISCOVERY: discovery: cannot be read: did not find expected ',' or '}'; write {key: value}`},
		{"BARREL_AUTH__ENABLED=yes", `environment BARREL_AUTH__ENABLED: auth.enabled: wants true or false, got the text "yes"; write true`},
		{"BARREL_DISCOVERY__USE=[static, dns", `environment BARREL_DISCOVERY__USE: discovery.use: the list has no closing bracket; write a,b or [a, b]`},
		{"BARREL_NODE__NAME__X=a", `environment BARREL_NODE__NAME__X: node.name: wants a node, got a section`},
		{"BARREL_TRANSPORT__QUIC__CERT_DAYS=many", `environment BARREL_TRANSPORT__QUIC__CERT_DAYS: transport.quic.cert_days: wants a whole number, got the text "many"`},
		{"BARREL_PLUGINZ__X=1", `environment BARREL_PLUGINZ__X: unknown key "pluginz"; did you mean "plugins"?`},
	}
	for _, c := range cases {
		_, err := load(Sources{Environ: []string{c.entry}}, parsed("node.yaml", ""), testSlots())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.entry, got, c.want)
		}
	}
}

func TestSetKeys(t *testing.T) {
	help := `; write --set key=value, as --set node.name=a@10.0.0.1; put a part with dots in double quotes`
	cases := []struct{ set, want string }{
		{`node."cluster"=x`, ""},
		{`node={cluster: x, data_dir: d}`, ""},
		{`auth.cookie=a=b.c`, ""},
		{`plugins.discovery/consul={command: /x, insecure_unpinned: true}`, ""},
		{`node.name`, `flag --set node.name: no = after the key` + help},
		{`=x`, `flag --set =x: an empty part in the key` + help},
		{`node..name=x`, `flag --set node..name=x: an empty part in the key` + help},
		{`node."name=x`, `flag --set node."name=x: a quote in the key is not closed` + help},
		{`discovery.static.nodes.=x`, `flag --set discovery.static.nodes.=x: an empty part in the key` + help},
		{"node.\"a\x1fb\"=x", "flag --set node.\"a\ufffdb\": node: the key \"a\\x1fb\" has a control character"},
		{`bootstrap.contact_nodes[0]=a@x`, `flag --set bootstrap.contact_nodes[0]: bootstrap: unknown key "contact_nodes[0]"; did you mean "contact_nodes"?`},
	}
	for _, c := range cases {
		_, err := load(Sources{Sets: []string{c.set}}, parsed("node.yaml", ""), testSlots())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.set, got, c.want)
		}
	}
}
