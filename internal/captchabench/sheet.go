package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"

	"usher/captcha"
	"usher/captcha/challenge"
)

// writeSheet writes twenty pictures, four in a row, to path and their answers, row by row, to answers.
func writeSheet(maker *captcha.Maker, path string, answers io.Writer) error {
	const rows, columns, gap = 5, 4, 10
	var sheet *image.RGBA
	fmt.Fprintln(answers, path)
	for row := range rows {
		for column := range columns {
			challenge, err := maker.Make(challenge.Image, challenge.Normal, "")
			if err != nil {
				return err
			}
			picture, err := png.Decode(bytes.NewReader(challenge.Media))
			if err != nil {
				return err
			}
			size := picture.Bounds().Size()
			if sheet == nil {
				sheet = image.NewRGBA(image.Rect(0, 0, columns*(size.X+gap)+gap, rows*(size.Y+gap)+gap))
				draw.Draw(sheet, sheet.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
			}
			at := image.Pt(gap+column*(size.X+gap), gap+row*(size.Y+gap))
			draw.Draw(sheet, image.Rectangle{Min: at, Max: at.Add(size)}, picture, image.Point{}, draw.Src)
			fmt.Fprintf(answers, "%10s", challenge.Answer)
		}
		fmt.Fprintln(answers)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(file, sheet); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
