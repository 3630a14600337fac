package main

import (
	"math"
	"math/cmplx"
	"slices"

	"usher/captcha/speech"
)

// Frames of recordings: every hop samples the power of bands on the mel scale, in a window of window samples.
const (
	window = 256
	hop    = 128
	bands  = 20
	depth  = 4 // natural logarithms: half of what lies between loud frames and silence, which is 35 dB
)

// frames is a recording as a solver sees it: one vector every 16 ms.
type frames [][]float64

// spectrum returns the logarithm of the power in each band, from 0 (silence) to about depth (loud). What is quieter than
// the depth is cut off in the templates as noise cuts it off in the challenge.
func spectrum(samples []float64) frames {
	count := (len(samples) - window) / hop
	out := make(frames, 0, max(count, 0))
	loud := []float64{}
	buffer := make([]complex128, window)
	for i := range count {
		for j := range buffer {
			hann := 0.5 - 0.5*math.Cos(2*math.Pi*float64(j)/window)
			pre := samples[i*hop+j]
			if k := i*hop + j - 1; k >= 0 {
				pre -= 0.9 * samples[k]
			}
			buffer[j] = complex(pre*hann, 0)
		}
		fft(buffer)
		frame := make([]float64, bands)
		for b, weights := range melBands {
			power := 1e-9
			for bin, weight := range weights {
				if weight > 0 {
					power += weight * real(buffer[bin]*cmplx.Conj(buffer[bin]))
				}
			}
			frame[b] = math.Log(power)
		}
		out = append(out, frame)
		loud = append(loud, slices.Max(frame))
	}
	if len(out) == 0 {
		return out
	}
	slices.Sort(loud)
	floor := loud[len(loud)*99/100] - 2*depth
	for _, frame := range out {
		for b := range frame {
			frame[b] = max(frame[b]-floor, 0)
		}
	}
	return out
}

// melBands are overlapping triangles from 100 to 3,900 Hz.
var melBands = func() [bands][window / 2]float64 {
	mel := func(hz float64) float64 { return 1127 * math.Log(1+hz/700) }
	low, step := mel(100), (mel(3900)-mel(100))/(bands+1)
	var weights [bands][window / 2]float64
	for b := range weights {
		for bin := range weights[b] {
			distance := (mel(float64(bin)*speech.Rate/window) - low) / step
			weights[b][bin] = max(1-math.Abs(distance-float64(b+1)), 0)
		}
	}
	return weights
}()

// fft transforms x, whose length is a power of two, in place.
func fft(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		step := cmplx.Exp(complex(0, -2*math.Pi/float64(size)))
		for start := 0; start < n; start += size {
			w := complex(1, 0)
			for k := range size / 2 {
				a, b := x[start+k], x[start+k+size/2]*w
				x[start+k], x[start+k+size/2] = a+b, a-b
				w *= step
			}
		}
	}
}
