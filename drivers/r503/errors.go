package r503

import (
	"context"
	"errors"
	"fmt"
)

// What can go wrong, for errors.Is.
var (
	ErrNoFinger    = errors.New("no finger on the sensor")
	ErrMessy       = errors.New("the picture of the finger is too weak or smeared; wipe finger and sensor and press again")
	ErrPassword    = errors.New("the fingerprint sensor refused the password; it was set up by another device")
	ErrTimeout     = errors.New("the fingerprint sensor stopped answering; check its cable")
	ErrChecksum    = errors.New("a packet of the fingerprint sensor arrived damaged; check its cable")
	ErrShortImage  = errors.New("the picture of the finger did not arrive whole; check the cable of the sensor")
	ErrUnplugged   = errors.New("the port of the fingerprint sensor is gone; plug it in again")
	ErrUnsupported = errors.New("this fingerprint sensor does not know the command")
	ErrSensor      = errors.New("the fingerprint sensor reports a fault; replace it if this stays")
	ErrReply       = errors.New("the fingerprint sensor sent a reply that does not belong to the command")
)

// Advice says in one or two sentences, for the person in front of the box, what err means and what to do.
func Advice(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNoFinger):
		return "Put your finger flat on the sensor."
	case errors.Is(err, ErrMessy):
		return "The picture was not clear. Wipe your finger and the sensor, then press again."
	case errors.Is(err, ErrPassword):
		return "The fingerprint sensor belongs to another device and does not accept this box. Use another sensor."
	case errors.Is(err, ErrUnplugged):
		return "The fingerprint sensor is unplugged. Plug it in; the box tries again by itself."
	case errors.Is(err, ErrShortImage):
		return "The picture of the finger did not arrive whole. Check the cable of the sensor, then press again."
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrChecksum), errors.Is(err, ErrReply):
		return "The fingerprint sensor stopped answering. Check its cable; the box tries again by itself."
	case errors.Is(err, ErrUnsupported):
		return "This fingerprint sensor does not know a command that the box needs. Use an R503."
	case errors.Is(err, ErrSensor):
		return "The fingerprint sensor reports a fault. Switch the box off and on; replace the sensor if this stays."
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "Nobody touched the fingerprint sensor in time. Try again."
	}
	return "The fingerprint sensor does not work. Check its cable; the box tries again by itself."
}

// Code is the confirmation code in an acknowledgement (R503 manual 5.3). It is an error that maps to the sentinels above.
type Code byte

const (
	CodeOK           Code = 0x00
	CodePacket       Code = 0x01 // the module received a damaged command
	CodeNoFinger     Code = 0x02
	CodeCapture      Code = 0x03
	CodeMessy        Code = 0x06
	CodeFewFeatures  Code = 0x07
	CodeNoMatch      Code = 0x08
	CodeNotFound     Code = 0x09
	CodeMerge        Code = 0x0A
	CodeBadID        Code = 0x0B
	CodeLoad         Code = 0x0C
	CodeUpload       Code = 0x0D
	CodeReceive      Code = 0x0E
	CodeUploadImage  Code = 0x0F
	CodeDelete       Code = 0x10
	CodeEmpty        Code = 0x11
	CodePassword     Code = 0x13
	CodeNoImage      Code = 0x15
	CodeFlash        Code = 0x18
	CodeRegister     Code = 0x1A
	CodeSetting      Code = 0x1B
	CodeNotepad      Code = 0x1C
	CodePort         Code = 0x1D
	CodeLibraryFull  Code = 0x1F
	CodeAddress      Code = 0x20
	CodeVerify       Code = 0x21 // the password has to be verified first
	CodeNoTemplate   Code = 0x22
	CodeLibraryEmpty Code = 0x24
	CodeTimeout      Code = 0x26
	CodeDuplicate    Code = 0x27
	CodeSensor       Code = 0x29
	CodeUnsupported  Code = 0xFC
	CodeHardware     Code = 0xFD
	CodeExecution    Code = 0xFE
)

func (c Code) String() string {
	switch c {
	case CodeOK:
		return "ok"
	case CodePacket:
		return "command arrived damaged"
	case CodeNoFinger:
		return "no finger"
	case CodeCapture:
		return "capture failed"
	case CodeMessy:
		return "picture too messy"
	case CodeFewFeatures:
		return "too few features"
	case CodeNoMatch:
		return "no match"
	case CodeNotFound:
		return "not found"
	case CodeMerge:
		return "templates do not merge"
	case CodeBadID:
		return "template number out of range"
	case CodeLoad:
		return "template cannot be loaded"
	case CodeUpload:
		return "template cannot be sent"
	case CodeReceive:
		return "module cannot receive data"
	case CodeUploadImage:
		return "picture cannot be sent"
	case CodeDelete:
		return "template cannot be deleted"
	case CodeEmpty:
		return "store cannot be emptied"
	case CodePassword:
		return "wrong password"
	case CodeNoImage:
		return "no picture in the buffer"
	case CodeFlash:
		return "flash write failed"
	case CodeRegister:
		return "unknown register"
	case CodeSetting:
		return "wrong register value"
	case CodeNotepad:
		return "wrong notepad page"
	case CodePort:
		return "communication port failed"
	case CodeLibraryFull:
		return "store is full"
	case CodeAddress:
		return "wrong address"
	case CodeVerify:
		return "password not verified"
	case CodeNoTemplate:
		return "template is empty"
	case CodeLibraryEmpty:
		return "store is empty"
	case CodeTimeout:
		return "module timed out"
	case CodeDuplicate:
		return "finger already stored"
	case CodeSensor:
		return "sensor failed"
	case CodeUnsupported:
		return "unsupported command"
	case CodeHardware:
		return "hardware failed"
	case CodeExecution:
		return "execution failed"
	}
	return "unknown code"
}

func (c Code) Error() string { return fmt.Sprintf("%s (code %02x)", c.String(), byte(c)) }

// Is maps the code to the sentinel that a caller decides on.
func (c Code) Is(target error) bool {
	switch c {
	case CodeNoFinger:
		return target == ErrNoFinger
	case CodeCapture, CodeMessy, CodeFewFeatures, CodeNoImage:
		return target == ErrMessy
	case CodePassword, CodeVerify, CodeAddress:
		return target == ErrPassword
	case CodePacket:
		return target == ErrChecksum
	case CodeTimeout:
		return target == ErrTimeout
	case CodeUploadImage:
		return target == ErrShortImage
	case CodeUnsupported:
		return target == ErrUnsupported
	case CodeFlash, CodeSensor, CodeHardware, CodeExecution, CodePort:
		return target == ErrSensor
	}
	return false
}
