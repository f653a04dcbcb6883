package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const overview = `Barrel runs a node of a secure peer-to-peer cluster and talks to a running one.

Start here:
  barrel demo                      three nodes on this machine, narrated, in under a minute
  barrel run                       a node, with no configuration at all
  barrel status                    how it is (in another terminal)
  barrel config defaults           every setting with its default, as a file to start from
  barrel doctor                    why something does not work, and what to do next

Commands that talk to a node find its socket by --socket, --data-dir, -c or BARREL_SOCKET,
and otherwise at ./data/run/admin.sock; each takes -o json.

Exit status: 0 done, 1 it failed, 2 wrong usage or configuration, 3 no running node found,
4 timed out, 5 refused by trust or cookie, 6 not found.`

// The groups in which the overview lists the commands.
const (
	groupNode    = "node"
	groupCluster = "cluster"
	groupService = "service"
	groupTrust   = "trust"
	groupOther   = "other"
)

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "barrel",
		Short:             "a node of a secure peer-to-peer cluster",
		Long:              overview,
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              cobra.ArbitraryArgs,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(cmd, args[0], "a list under barrel -h")
		}
		a.began = true
		return cmd.Help()
	}
	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "The node:"},
		&cobra.Group{ID: groupCluster, Title: "The cluster:"},
		&cobra.Group{ID: groupService, Title: "Services and messages:"},
		&cobra.Group{ID: groupTrust, Title: "Keys and trust:"},
		&cobra.Group{ID: groupOther, Title: "Help:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	a.addCommands(root)
	return root
}

func (a *app) addCommands(root *cobra.Command) {
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupNode, a.runCommand(), a.configCommand(), a.statusCommand(), a.waitCommand(), a.eventsCommand(), a.pluginCommand())
	add(groupCluster, a.joinCommand(), a.leaveCommand(), a.membersCommand(), a.viewCommand(), a.linksCommand(),
		a.pingCommand(), a.migrateCommand(), a.discoverCommand())
	add(groupService, a.registerCommand(), a.callCommand(), a.sendCommand(), a.catCommand(), a.streamsCommand(), a.servicesCommand(), a.lookupCommand(), a.whereisCommand())
	add(groupTrust, a.keysCommand(), a.trustCommand())
	add(groupOther, a.doctorCommand(), a.demoCommand(), a.versionCommand())
}

// note writes one line for people to stderr.
func (a *app) note(format string, args ...any) {
	_, _ = fmt.Fprintf(a.stderr, format+"\n", args...)
}
