package admin

import (
	"context"
)

// pluginRequest names a plugin.
type pluginRequest struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func (r *pluginRequest) check() error { return nil }

func (s *Server) replacePlugin(ctx context.Context, r *pluginRequest) (any, error) {
	return s.node.ReplacePlugin(ctx, r.Kind, r.Name)
}

// ReplacePlugin starts a plugin in a process of its own anew; the answer is how it is
// then. With an error the old process stays.
func (c *Client) ReplacePlugin(ctx context.Context, kind, name string) (Plugin, error) {
	return post[Plugin](ctx, c, "/v1/plugins/reload", pluginRequest{Kind: kind, Name: name})
}
