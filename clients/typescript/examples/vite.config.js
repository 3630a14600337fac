import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// One configuration for all examples.
export default defineConfig({ plugins: [vue()], esbuild: { jsx: 'automatic' }, base: './', build: { emptyOutDir: true } });
