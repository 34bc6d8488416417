package r503

import (
	"context"
	"errors"
	"fmt"
	"image"
	"time"
)

// Capture takes a picture into the buffer of the module. ErrNoFinger if nobody touches, ErrMessy if the capture failed.
func (d *Dev) Capture(ctx context.Context) error {
	return d.simple(ctx, InsCapture, d.cfg.CaptureTimeout)
}

// CheckImage asks the module whether the picture in its buffer has enough features; ErrMessy if not. This is far quicker than
// bringing over a picture that is of no use.
func (d *Dev) CheckImage(ctx context.Context) error {
	return d.simple(ctx, InsFeatures, d.cfg.CaptureTimeout, 1)
}

// UploadImage brings the picture in the buffer to the host. A transfer that breaks is started again once; then it is ErrShortImage
// (it broke on the way), ErrTimeout or ErrChecksum.
func (d *Dev) UploadImage(ctx context.Context) (*image.Gray, error) {
	var img *image.Gray
	err := d.alone(ctx, InsUploadImage, func() error {
		err := d.upload(ctx, &img)
		broken := repeatable(err) || errors.Is(err, ErrShortImage)
		if broken && ctx.Err() == nil && !errors.Is(err, ErrUnplugged) {
			err = d.upload(ctx, &img)
		}
		return err
	})
	return img, err
}

func (d *Dev) upload(ctx context.Context, img **image.Gray) error {
	r := request{ins: InsUploadImage, want: []int{1}, timeout: d.cfg.CommandTimeout, once: true}
	if _, err := d.locked(ctx, r); err != nil {
		return err
	}
	d.dirty = true
	raw := make([]byte, 0, 256*288/2)
	for {
		p, err := d.packet(ctx, time.Now().Add(d.cfg.DataTimeout))
		if err != nil {
			return fmt.Errorf("%w after %d bytes: %w", ErrShortImage, len(raw), err)
		}
		if p.ID != IDData && p.ID != IDEndData {
			return fmt.Errorf("%w after %d bytes: %w", ErrShortImage, len(raw), ErrReply)
		}
		if raw = append(raw, p.Payload...); len(raw) > maxImage {
			return fmt.Errorf("%w: more than %d bytes", ErrReply, maxImage)
		}
		if p.ID == IDEndData {
			break
		}
	}
	d.dirty = false
	out, err := DecodeImage(raw, d.size)
	if err != nil {
		return err
	}
	d.size = out.Rect.Max
	*img = out
	return nil
}

// Scan waits until a finger is on the sensor and returns its picture. It looks again and again until ctx ends; ErrMessy asks for
// another touch. Lift the finger (WaitLift) before the next Scan, or the same touch is taken twice.
func (d *Dev) Scan(ctx context.Context) (*image.Gray, error) {
	if err := d.waitFinger(ctx); err != nil {
		return nil, err
	}
	if d.cfg.Gate {
		if err := d.CheckImage(ctx); err != nil {
			return nil, err
		}
	}
	return d.UploadImage(ctx)
}

func (d *Dev) waitFinger(ctx context.Context) error {
	failed := 0
	for {
		err := d.Capture(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, CodeCapture) && failed < d.cfg.Retries:
			// A finger that is just landing makes a capture fail.
			failed++
		case !errors.Is(err, ErrNoFinger):
			return err
		}
		if err := d.pause(ctx, d.cfg.Poll); err != nil {
			return err
		}
		if d.cfg.Touch != nil && errors.Is(err, ErrNoFinger) {
			wait, cancel := context.WithTimeout(ctx, d.cfg.TouchPoll)
			// A line that fails leaves polling, which is slower and all that is needed.
			_ = d.cfg.Touch.Wait(wait)
			cancel()
			if ctx.Err() != nil {
				return fmt.Errorf("r503: wait for a finger: %w", ctx.Err())
			}
		}
	}
}

// WaitLift returns once no finger is on the sensor.
func (d *Dev) WaitLift(ctx context.Context) error {
	for {
		err := d.Capture(ctx)
		switch {
		case errors.Is(err, ErrNoFinger):
			return nil
		case err != nil && !errors.Is(err, CodeCapture):
			return err
		}
		if err := d.pause(ctx, d.cfg.Poll); err != nil {
			return err
		}
	}
}

func (d *Dev) pause(ctx context.Context, t time.Duration) error {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("r503: wait for a finger: %w", ctx.Err())
	}
}
