// Package core is the assembled node and its Go API. It takes a configuration and a
// catalog of plugins, fills the five slots, joins the blocks to them and drives it all
// through the kernel.
//
// It implements no protocol and no plugin; it only knows what goes where. Programs
// come here to run a node, embedders to have one in their own program:
//
//	cat := plugins.All()
//	cfg, err := core.Load(config.Sources{Sets: []string{"node.name=a@127.0.0.1"}}, cat)
//	node, err := core.New(cfg, cat)
//	err = node.Start(ctx)
//	defer node.Stop(ctx)
//	node.Register(ctx, name.MustService("echo"), nil, handler)
//	answer, err := node.Call(ctx, "echo@b@127.0.0.1", []byte("hello"))
//
// Nothing here is process-wide: any number of nodes of different make-up live in one
// process. New touches nothing; Start opens the data directory, binds, publishes and
// joins; Stop leaves the cluster and undoes all of it.
package core
