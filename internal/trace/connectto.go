package trace

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// A ConnectTo says where to dial instead: a request to Host and Port goes to ToHost and ToPort. An
// empty Host or Port stands for any; an empty ToHost or ToPort leaves it as it is. Names, the Host
// field and certificates are not touched by it.
type ConnectTo struct {
	Host, Port, ToHost, ToPort string
}

// ParseConnectTo reads HOST:PORT:ADDRESS:PORT, the form of curl's option of the same name. An IPv6
// address stands in brackets.
func ParseConnectTo(s string) (ConnectTo, error) {
	var parts []string
	rest := s
	for len(parts) < 4 {
		part, after, found := cutPart(rest)
		parts = append(parts, part)
		if rest = after; !found {
			break
		}
	}
	if len(parts) != 4 || rest != "" {
		return ConnectTo{}, fmt.Errorf("reading %q: want HOST:PORT:ADDRESS:PORT, such as shop.test:443:127.0.0.1:8443", s)
	}
	for _, port := range []string{parts[1], parts[3]} {
		if !isPort(port) {
			return ConnectTo{}, fmt.Errorf("reading %q: %q is not a port", s, port)
		}
	}
	return ConnectTo{Host: strings.ToLower(parts[0]), Port: parts[1], ToHost: parts[2], ToPort: parts[3]}, nil
}

// cutPart cuts s at its first colon that is not inside brackets, and takes the brackets off.
func cutPart(s string) (part, after string, found bool) {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 && (end+1 == len(s) || s[end+1] == ':') {
			return s[1:end], strings.TrimPrefix(s[end+1:], ":"), end+1 < len(s)
		}
	}
	return strings.Cut(s, ":")
}

// DialTo returns a dialing function that obeys the first of rules that applies to an address, and
// leaves the others alone. To an address that they name a visit may be led.
func DialTo(all []ConnectTo, dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if (c.Host == "" || c.Host == strings.ToLower(host)) && (c.Port == "" || c.Port == port) {
				if c.ToHost != "" {
					host, ctx = c.ToHost, unfenced(ctx)
				}
				if c.ToPort != "" {
					port = c.ToPort
				}
				break
			}
		}
		return dial(ctx, network, net.JoinHostPort(host, port))
	}
}
