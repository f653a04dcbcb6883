package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxLine bounds one line of a stream: a payload in base64 and what stands around it.
const maxLine = maxPayloadBody + maxBody

// Events calls started when no event can be missed any more, and then emit for each
// event until ctx ends, which is its only good end: the error is then that of ctx. An
// error of emit ends the stream and is returned.
func (c *Client) Events(ctx context.Context, watch Watch, started func(), emit func(Event) error) error {
	query := url.Values{}
	if len(watch.Kinds) > 0 {
		query.Set("kinds", strings.Join(watch.Kinds, ","))
	}
	if watch.Initial {
		query.Set("initial", "true")
	}
	response, err := c.open(ctx, http.MethodGet, "/v1/events", query, typeLines, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	started()
	return c.readLines(ctx, response.Body, func(line []byte) error {
		var failed errorDocument
		if json.Unmarshal(line, &failed) == nil && failed.Error != nil {
			return failed.Error
		}
		var event Event
		if err := json.Unmarshal(line, &event); err != nil {
			return c.fail(KindFailed, err.Error())
		}
		return emit(event)
	})
}

// readLines calls take for each line until it fails or the stream ends.
func (c *Client) readLines(ctx context.Context, body io.Reader, take func(line []byte) error) error {
	scanner := bufio.NewScanner(body)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		if err := take(scanner.Bytes()); err != nil {
			return err
		}
	}
	err := scanner.Err()
	if err == nil {
		err = io.EOF
	}
	return c.explain(ctx, err)
}
