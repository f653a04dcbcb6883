package config_test

import (
	"fmt"
	"time"

	"github.com/barrelp2p/barrel/core/config"
	"github.com/barrelp2p/barrel/interfaces/plugin"
)

type tableSettings struct {
	Refresh time.Duration `setting:"refresh" help:"when to look again"`
}

func Example() {
	slots := []config.Slot{{
		Kind: plugin.Discovery, Chain: true, Default: []string{"static"},
		Plugins: []config.Plugin{{
			Name: "static", Summary: "a table in the settings",
			Settings: func() any { return &tableSettings{Refresh: time.Minute} },
		}},
	}}
	cfg, err := config.Load(config.Sources{Sets: []string{"discovery.static.refresh=5s"}}, slots)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Use(plugin.Discovery), cfg.Settings(plugin.Discovery, "static").(*tableSettings).Refresh)

	_, err = config.Load(config.Sources{Environ: []string{"BARREL_DISCOVERY__STATIC__REFERSH=5s"}}, slots)
	fmt.Println(err)
	// Output:
	// [static] 5s
	// environment BARREL_DISCOVERY__STATIC__REFERSH: discovery.static: unknown key "refersh"; did you mean "refresh"?
}
