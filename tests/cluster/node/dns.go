package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	// Only the plugins that a cluster without outside network needs.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
)

// runCoreDNS is CoreDNS' own main: cluster-node coredns -conf COREFILE.
func runCoreDNS([]string) error {
	dnsserver.Directives = []string{"bind", "ready", "errors", "log", "cache", "loadbalance", "hosts", "kubernetes"}
	coremain.Run()
	return nil
}
