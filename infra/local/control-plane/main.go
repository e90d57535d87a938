// Command lifeboat-control-plane is every program of a Kubernetes control plane
// in one binary, so that one build and one file on disk serve them all.
//
// The first argument names the program; the rest goes to it unchanged. Programs
// that serve end themselves when their standard input reaches its end: the
// launcher holds the other side of that pipe, and the kernel closes it however
// the launcher ends. Nothing can therefore outlive its launcher.
package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	_ "time/tzdata" // CronJobs name time zones, and the machine may have none.

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// programs maps the first argument to what runs for it and gives the exit code.
var programs = map[string]func() int{
	"etcd": served(func() int { etcdmain.Main(os.Args); return 0 }),
	"kube-apiserver": served(func() int {
		return cli.Run(apiserver.NewAPIServerCommand())
	}),
	"kube-controller-manager": served(func() int {
		return cli.Run(controllermanager.NewControllerManagerCommand())
	}),
	"kube-scheduler": served(func() int {
		return cli.Run(scheduler.NewSchedulerCommand())
	}),
	"kwok":        served(runKwok),
	"kwok-stages": runKwokStages,
	"kubectl":     runKubectl,
	"sweep":       runSweep,
}

func main() {
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		names := make([]string, 0, len(programs))
		for name := range programs {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintf(os.Stderr, "usage: %s PROGRAM ARGUMENTS...\nprograms: %v\n", os.Args[0], names)
		os.Exit(2)
	}
	run := programs[os.Args[1]]
	// Each program sees itself as the first argument, as if it were started alone.
	os.Args = os.Args[1:]
	os.Exit(run())
}

// served wraps a program so that it ends with its standard input. It ends at
// once, without its own way of stopping, because the data is thrown away anyway
// and an API server would wait up to a minute for its open watches.
func served(run func() int) func() int {
	return func() int {
		go func() {
			waitForEnd()
			os.Exit(0)
		}()
		return run()
	}
}

// waitForEnd returns when standard input has ended or broken.
func waitForEnd() {
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// runKubectl mirrors kubectl's own main, which reads the verbosity before the
// command is built.
func runKubectl() int {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}
