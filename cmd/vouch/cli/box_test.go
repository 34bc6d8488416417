package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

// household serves a scripted box on a socket.
func household(t *testing.T, change func(*apitest.State)) (box *apitest.Box, socket string) {
	t.Helper()
	state := apitest.Household()
	if change != nil {
		change(&state)
	}
	box = apitest.New(state)
	return box, serve(t, box)
}

func serve(t *testing.T, box api.Box) (socket string) {
	t.Helper()
	// sun_path holds 108 bytes (unix(7)), and t.TempDir is long.
	dir, err := os.MkdirTemp("", "vouch")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "box.sock")
	l, err := api.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		if err := api.ServeListener(ctx, l, box, func(uint32) bool { return true }); err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); served.Wait() })
	return socket
}

// try runs a command line for at most 30 seconds.
func try(t *testing.T, now func() time.Time, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	code = run(ctx, args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, now)
	return code, out.String(), errs.String()
}

func contains(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	_, socket := household(t, func(s *apitest.State) {
		s.Status.Sensor = api.Sensor{Detail: "nothing answers on /dev/ttyTHS1"}
		s.Status.Problems = []api.Problem{
			{Code: "sensor.absent", Text: "The fingerprint sensor does not answer.", Action: "Check its cable.", Since: apitest.Moment()},
			{Code: "x", Text: "A name\nwith \x1b[2J in it.", Since: apitest.Moment()},
		}
	})
	code, out, errs := try(t, time.Now, "status", "--socket", socket)
	if code != exitDone || errs != "" {
		t.Fatalf("code %d, stderr %q", code, errs)
	}
	contains(t, out, "Kitchen box (vouchd 0.1.0)\n", "12.5 HEART\n", "verified block 123456 of 2026-03-14T14:02:08Z\n",
		"a program, not a chip", "sensor   absent: nothing answers on /dev/ttyTHS1\n",
		"human    Ada Marsh, ", "registered on the chain\n",
		"Problems:\n! The fingerprint sensor does not answer. (since 2026-03-14T14:02:11Z)\n  to do: Check its cable.\n",
		`! A name\nwith \x1b[2J in it. (since`)

	code, out, errs = try(t, time.Now, "status", "--socket", socket, "-o", "json")
	var got api.Status
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitDone || errs != "" {
		t.Fatalf("code %d, %v, stderr %q", code, err, errs)
	}
	if len(got.Problems) != 2 || got.Problems[0].Action != "Check its cable." || got.Balance != "12.5 HEART" {
		t.Errorf("status = %+v", got)
	}
}

func TestStatusOfANewBox(t *testing.T) {
	t.Parallel()
	_, socket := household(t, func(s *apitest.State) {
		s.Status = api.Status{Box: "box", Version: "0.1.0", Owner: "human1x", Chain: api.Chain{ID: "vouch-1"}}
	})
	_, out, _ := try(t, time.Now, "status", "--socket", socket)
	contains(t, out, "balance not proved yet", "no block verified yet", "nobody is enrolled", "No problems.\n")
}

// A person enrols: the touches are told on stderr, the result alone on stdout.
func TestEnroll(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"text", "json"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			box, socket := household(t, nil)
			var touch sync.WaitGroup
			touch.Go(func() {
				enrolling(t, box)
				box.Update(func(s *apitest.State) { s.Enrolment.Taken, s.Enrolment.Message = 8, "That is all." })
				human := api.Human{ID: "p2", Name: "Bo", Address: "human1bo"}
				box.Update(func(s *apitest.State) {
					s.Enrolment = api.Enrolment{Name: "Bo\x1b[31m", Taken: 8, Wanted: 8, Message: "Bo is enrolled.", Human: &human}
				})
			})
			code, out, errs := try(t, time.Now, "human", "enroll", "--name", "Bo", "--consent", "--socket", socket, "-o", output)
			touch.Wait()
			if code != exitDone {
				t.Fatalf("code %d, stderr %q", code, errs)
			}
			contains(t, errs, "0 of 8  Touch the sensor.\n", "8 of 8  Bo is enrolled.\n")
			if output == "text" {
				contains(t, out, `Bo\x1b[31m is enrolled: human1bo`)
				return
			}
			var e api.Enrolment
			if err := json.Unmarshal([]byte(out), &e); err != nil || e.Human == nil || e.Human.Address != "human1bo" {
				t.Errorf("stdout = %q, %v", out, err)
			}
		})
	}
}

// enrolling waits until the command follows an enrolment.
func enrolling(t *testing.T, box *apitest.Box) {
	deadline := time.After(20 * time.Second)
	for {
		e, err := box.Enrolment(t.Context())
		if err == nil && e.Active && box.Listeners() > 0 {
			return
		}
		select {
		case <-deadline:
			t.Error("the command does not enrol")
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestEnrollFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  api.Enrolment
		want string
	}{
		"too slow":     {api.Enrolment{Failed: true, Message: "The enrolment took too long. Nothing was kept."}, "a human must act at the box: The enrolment took too long."},
		"box restarts": {api.Enrolment{}, "perhaps because it was restarted; start again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, socket := household(t, nil)
			var touch sync.WaitGroup
			touch.Go(func() {
				enrolling(t, box)
				box.Update(func(s *apitest.State) { s.Enrolment = c.end })
			})
			code, out, errs := try(t, time.Now, "human", "enroll", "--name", "Bo", "--consent", "-q", "--socket", socket)
			touch.Wait()
			if code != exitNeedsHuman || out != "" || strings.Contains(errs, "0 of 8") {
				t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
			}
			contains(t, errs, c.want)
		})
	}
}

// Interrupted, the command leaves no sensor that waits for a finger.
func TestEnrollInterrupted(t *testing.T) {
	t.Parallel()
	box, socket := household(t, nil)
	ctx, interrupt := context.WithCancel(t.Context())
	var touch sync.WaitGroup
	touch.Go(func() {
		enrolling(t, box)
		interrupt()
	})
	var out, errs bytes.Buffer
	code := run(ctx, []string{"human", "enroll", "--name", "Bo", "--consent", "--socket", socket}, Streams{Out: &out, Err: &errs}, time.Now)
	touch.Wait()
	e, err := box.Enrolment(t.Context())
	if err != nil || e.Active {
		t.Errorf("enrolment = %+v, %v, want it cancelled", e, err)
	}
	if code != exitNeedsHuman || out.Len() > 0 {
		t.Errorf("code %d, stdout %q", code, &out)
	}
	contains(t, errs.String(), "interrupted: ", "nothing was kept")
}

// refusing is a box that says no.
type refusing struct {
	*apitest.Box
	err error
}

func (r refusing) Status(context.Context) (api.Status, error) { return api.Status{}, r.err }

func TestRefusals(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		api.CodeNotFound:  exitNotFound,
		api.CodeInvalid:   exitUsage,
		api.CodeTooLarge:  exitUsage,
		api.CodeConflict:  exitNeedsHuman,
		api.CodeBlocked:   exitNeedsHuman,
		api.CodeForbidden: exitFailed,
		api.CodeUnready:   exitFailed,
		api.CodeInternal:  exitFailed,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			socket := serve(t, refusing{apitest.New(apitest.Household()), api.Errorf(code, "what happened; what to do")})
			got, out, errs := try(t, time.Now, "status", "--socket", socket)
			if got != want || out != "" {
				t.Errorf("code %d, want %d; stdout %q", got, want, out)
			}
			contains(t, errs, "what happened; what to do")
		})
	}
}

func TestOneEnrolmentAtATime(t *testing.T) {
	t.Parallel()
	_, socket := household(t, func(s *apitest.State) { s.Enrolment = api.Enrolment{Active: true, Name: "Cy", Wanted: 8} })
	code, _, errs := try(t, time.Now, "human", "enroll", "--name", "Bo", "--consent", "--socket", socket)
	if code != exitNeedsHuman {
		t.Errorf("code %d, want %d", code, exitNeedsHuman)
	}
	contains(t, errs, "Cy is being enrolled; finish or cancel that first")
}

func TestPayloadAdd(t *testing.T) {
	t.Parallel()
	_, socket := household(t, nil)
	file := filepath.Join(t.TempDir(), "clip.wav")
	if err := os.WriteFile(file, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := try(t, time.Now, "payload", "add", file, "--socket", socket, "-o", "json")
	if code != exitDone {
		t.Fatalf("code %d, stderr %q", code, errs)
	}
	want := `{"digest":"dd29442deca69f52c50006b831cb216edf78a7da33748f0a80ff19f2ebe57ecd","size":5}` + "\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	code, out, errs = try(t, time.Now, "payload", "add", "/dev/zero", "--socket", socket)
	if code != exitUsage || out != "" {
		t.Errorf("a file without end: code %d, stdout %q, stderr %q", code, out, errs)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }

// Output that is lost is not a success.
func TestOutputIsLost(t *testing.T) {
	t.Parallel()
	_, socket := household(t, nil)
	var errs bytes.Buffer
	for _, output := range []string{"text", "json"} {
		if code := run(t.Context(), []string{"status", "--socket", socket, "-o", output}, Streams{Out: full{}, Err: &errs}, time.Now); code != exitFailed {
			t.Errorf("%s: code %d, want %d", output, code, exitFailed)
		}
	}
	contains(t, errs.String(), "write the output")
}
